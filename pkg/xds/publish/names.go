package publish

import (
	"maps"
	"slices"
	"sync/atomic"

	"github.com/xdsready/xdsready/pkg/cache"
)

// Names is an immutable set of resource names. Proxies that ask for the same
// names share one, and what was found out about it. A nil *Names is empty.
type Names struct {
	sorted []string
	// answers are what was found out so far. The map is never changed but replaced.
	answers atomic.Pointer[map[question]answer]
}

// question is which set of resources is asked for the names.
type question struct {
	typeURL string
	version cache.Version
}

// maxAnswers is how many are remembered: there is one for each node group whose
// proxies ask for the same names of different resources.
const maxAnswers = 256

// answer is how a snapshot answers a request for names.
type answer struct {
	version  cache.Version // of the resources that bear one of the names
	whole    bool          // these are all resources of the type
	complete bool          // every name has its resource
}

// NewNames returns the set of these names, without the empty one.
func NewNames(names []string) *Names {
	sorted := slices.Compact(slices.Sorted(slices.Values(names)))
	if len(sorted) > 0 && sorted[0] == "" {
		sorted = sorted[1:]
	}
	return &Names{sorted: sorted}
}

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
	return &Names{sorted: kept}
}

// in returns how the snapshot answers a request for these names.
func (n *Names) in(s *cache.Snapshot, typeURL string) answer {
	if n == nil {
		return answer{}
	}
	q := question{typeURL, s.Version(typeURL)}
	var known map[question]answer
	if m := n.answers.Load(); m != nil {
		known = *m
	}
	if a, ok := known[q]; ok {
		return a
	}
	a := n.find(s, typeURL)
	more := make(map[question]answer, len(known)+1)
	if len(known) < maxAnswers {
		maps.Copy(more, known)
	}
	more[q] = a
	n.answers.Store(&more) // what another proxy found in the meantime is found again
	return a
}

// of returns the resources of a type that bear one of the names.
func (n *Names) of(s *cache.Snapshot, typeURL string) (found []cache.Resource) {
	for _, name := range n.All() {
		if r, ok := s.Resource(typeURL, name); ok {
			found = append(found, r)
		}
	}
	return found
}

func (n *Names) find(s *cache.Snapshot, typeURL string) (a answer) {
	found := 0
	for _, name := range n.sorted {
		if r, ok := s.Resource(typeURL, name); ok {
			a.version = a.version.Add(r.Version())
			found++
		}
	}
	a.complete = found == len(n.sorted)
	a.whole = found == len(s.Resources(typeURL))
	return a
}
