package cache

import (
	"maps"
	"slices"
	"strings"
	"weak"
)

// Replace returns s with these resources in the place of those of the same type
// and name, at a cost that follows their number and not that of all: it is for
// endpoints, which change most. It returns false, and the caller has to [Build],
// if one of them has no such place, or refers to other resources than the one
// there, or if something is withheld: only then can something else become
// absent, withheld or needed.
//
// The resources must be distinct.
func (s *Snapshot) Replace(resources ...Resource) (*Snapshot, bool) {
	if len(s.Withheld()) > 0 {
		return nil, false
	}
	byType := map[string][]Resource{}
	for _, r := range resources {
		old, ok := s.given(r.key())
		if !ok || !old.references.equal(&r.references) {
			return nil, false
		}
		if !r.Equal(old) {
			byType[r.typeURL] = append(byType[r.typeURL], r)
		}
	}
	next := &Snapshot{
		sets: maps.Clone(s.sets), version: s.version, afterInputs: s.afterInputs,
		placeholders: s.placeholders, withheld: s.withheld, dangling: s.dangling, unknowable: s.unknowable,
	}
	var changes []Changes
	for _, typeURL := range slices.Sorted(maps.Keys(byType)) {
		changed := byType[typeURL]
		before := s.sets[typeURL]
		after := before.replace(changed)
		next.sets[typeURL] = after
		next.version = next.version.sub(before.version).Add(after.version)
		changes = append(changes, Changes{TypeURL: typeURL, Changed: namesOf(changed)})
	}
	next.since.Store(weak.Make(s), changes)
	return next, true
}

// replace returns the set with other resources under names that it has.
func (s *set) replace(resources []Resource) *set {
	next := &set{resources: slices.Clone(s.resources), index: s.index, version: s.version}
	for _, r := range resources {
		i := s.index.at[r.name]
		next.version = next.version.sub(next.resources[i].version).Add(r.version)
		next.resources[i] = r
	}
	return next
}

func namesOf(resources []Resource) []string {
	var names []string
	for _, r := range resources {
		names = append(names, r.name)
	}
	slices.SortFunc(names, strings.Compare)
	return names
}

// equal reports whether both need the same; both are sorted.
func (r *references) equal(o *references) bool {
	return slices.Equal(r.targets, o.targets) && slices.Equal(r.unknown, o.unknown)
}

// SizeBeside returns about how many bytes of memory s takes that next, made from
// it, does not take too: the resources that differ, and the tables of those
// types of which one does.
func (s *Snapshot) SizeBeside(next *Snapshot) (bytes int) {
	if s == nil {
		return 0
	}
	for typeURL, set := range s.sets {
		other := next.set(typeURL)
		if set == other {
			continue
		}
		bytes += slotSize * len(set.resources)
		if other == nil || set.index != other.index {
			bytes += entrySize * len(set.resources)
		}
	}
	for _, c := range next.Since(s) {
		for _, name := range slices.Concat(c.Changed, c.Removed) {
			r, _ := s.Resource(c.TypeURL, name)
			bytes += recordSize + len(r.Encoded())
		}
	}
	return bytes
}

// What an element of a slice of resources takes, an entry of a map from names to
// numbers, and a resource without its encoding, in bytes.
const (
	slotSize   = 8
	entrySize  = 40
	recordSize = 300
)
