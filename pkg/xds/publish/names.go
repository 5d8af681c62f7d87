package publish

import (
	"slices"
	"sync/atomic"

	"github.com/xdsready/xdsready/pkg/cache"
)

// Names is an immutable set of resource names. Proxies that ask for the same
// names share one, and what was found out about it. A nil *Names is empty.
type Names struct {
	list   []string // as it was given
	sorted []string
	answer atomic.Pointer[answer] // for the snapshot that was looked at last
}

// answer is how a snapshot answers a request for names.
type answer struct {
	snapshot *cache.Snapshot
	typeURL  string
	version  cache.Version // of the resources that bear one of the names
	whole    bool          // these are all resources of the type
	complete bool          // every name has its resource
}

// NewNames returns the set of these names, without the empty one. It keeps the
// slice.
func NewNames(names []string) *Names {
	sorted := slices.Compact(slices.Sorted(slices.Values(names)))
	if len(sorted) > 0 && sorted[0] == "" {
		sorted = sorted[1:]
	}
	return &Names{list: names, sorted: sorted}
}

// List returns the names as they were given. The slice must not be changed.
func (n *Names) List() []string { return n.list }

// All returns the names, sorted. The slice must not be changed.
func (n *Names) All() []string {
	if n == nil {
		return nil
	}
	return n.sorted
}

// Has reports whether name is one of them.
func (n *Names) Has(name string) bool {
	_, ok := slices.BinarySearch(n.All(), name)
	return ok
}

// plus returns the set with these names added.
func (n *Names) plus(names []string) *Names {
	if len(names) == 0 {
		return n
	}
	return NewNames(slices.Concat(n.All(), names))
}

// minus returns the set without these names.
func (n *Names) minus(names []string) *Names {
	if len(names) == 0 {
		return n
	}
	gone := NewNames(names)
	if !slices.ContainsFunc(gone.sorted, n.Has) {
		return n
	}
	kept := slices.DeleteFunc(slices.Clone(n.All()), gone.Has)
	return &Names{list: kept, sorted: kept}
}

// in returns how the snapshot answers a request for these names.
func (n *Names) in(s *cache.Snapshot, typeURL string) *answer {
	if n == nil {
		return &answer{}
	}
	if known := n.answer.Load(); known != nil && known.snapshot == s && known.typeURL == typeURL {
		return known
	}
	a := &answer{snapshot: s, typeURL: typeURL}
	found := 0
	for _, name := range n.sorted {
		if r, ok := s.Resource(typeURL, name); ok {
			a.version = a.version.Add(r.Version())
			found++
		}
	}
	a.complete = found == len(n.sorted)
	a.whole = found == len(s.Resources(typeURL))
	n.answer.Store(a)
	return a
}
