package cache

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"weak"
)

// Changes are the names that differ between two snapshots in one type, sorted.
type Changes struct {
	TypeURL                 string
	Added, Changed, Removed []string
}

// Diff returns what must happen to one snapshot to make it another, by type
// URL, without the types that are equal in both.
func Diff(before, after *Snapshot) []Changes {
	types := make(map[string]bool)
	for _, typeURL := range slices.Concat(before.Types(), after.Types()) {
		types[typeURL] = before.Version(typeURL) != after.Version(typeURL)
	}
	var all []Changes
	for _, typeURL := range slices.Sorted(maps.Keys(types)) {
		if types[typeURL] {
			all = append(all, diffType(typeURL, before, after))
		}
	}
	return all
}

// Since is Diff(before, s), computed once for all who ask: the proxies of a
// group come from the same few snapshots. It must not be changed.
func (s *Snapshot) Since(before *Snapshot) []Changes {
	if s == nil || before == nil {
		return Diff(before, s)
	}
	// Weak, or a chain of all snapshots that ever were would stay.
	from := weak.Make(before)
	if known, ok := s.since.Load(from); ok {
		return known.([]Changes) //nolint:errcheck // the map has nothing else
	}
	changes := Diff(before, s)
	s.since.Store(from, changes)
	return changes
}

func diffType(typeURL string, before, after *Snapshot) Changes {
	c := Changes{TypeURL: typeURL}
	for _, r := range after.Resources(typeURL) {
		if old, ok := before.Resource(typeURL, r.name); !ok {
			c.Added = append(c.Added, r.name)
		} else if !r.Equal(old) {
			c.Changed = append(c.Changed, r.name)
		}
	}
	for _, old := range before.Resources(typeURL) {
		if _, ok := after.Resource(typeURL, old.name); !ok {
			c.Removed = append(c.Removed, old.name)
		}
	}
	return c
}

// String returns counts for a log line, such as
// "1 cluster added, 3 clusters changed".
func (c Changes) String() string {
	var parts []string
	for _, part := range []struct {
		names []string
		verb  string
	}{{c.Added, "added"}, {c.Changed, "changed"}, {c.Removed, "removed"}} {
		switch n := len(part.names); n {
		case 0:
		case 1:
			parts = append(parts, fmt.Sprintf("1 %s %s", Kind(c.TypeURL), part.verb))
		default:
			parts = append(parts, fmt.Sprintf("%d %ss %s", n, Kind(c.TypeURL), part.verb))
		}
	}
	return strings.Join(parts, ", ")
}
