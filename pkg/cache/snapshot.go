package cache

import (
	"maps"
	"slices"
	"sync"
)

// Snapshot is the complete config of one node group. It never changes; all
// methods are safe for concurrent use, and the slices they return must not be
// changed. A nil *Snapshot is an empty one.
type Snapshot struct {
	sets         map[string]*set // by type URL; none is empty
	version      Version
	afterInputs  bool
	placeholders []Resource
	withheld     []Withheld
	dangling     []Reference
	unknowable   []Unknowable
	since        sync.Map // weak.Pointer[Snapshot] → []Changes, see Since
}

// set holds the resources of one type.
type set struct {
	resources []Resource // by name
	index     *index
	version   Version
}

// index says where each name is in a slice of resources.
type index struct{ at map[string]int }

// sharing returns s with as much of another set of the type as is equal, so that
// the generations of a group cost little more than what differs between them.
func (s *set) sharing(o *set) *set {
	switch {
	case o == nil:
		return s
	case s.version == o.version:
		return o
	case slices.EqualFunc(s.resources, o.resources, func(a, b Resource) bool { return a.name == b.name }):
		s.index = o.index
	}
	return s
}

// set returns the resources of a type, nil if there are none.
func (s *Snapshot) set(typeURL string) *set {
	if s == nil {
		return nil
	}
	return s.sets[typeURL]
}

// Resources returns the resources of a type, placeholders included, by name.
func (s *Snapshot) Resources(typeURL string) []Resource {
	if s == nil || s.sets[typeURL] == nil {
		return nil
	}
	return s.sets[typeURL].resources
}

// Resource returns one resource, and whether it is there.
func (s *Snapshot) Resource(typeURL, name string) (Resource, bool) {
	i, ok := s.Index(typeURL, name)
	if !ok {
		return Resource{}, false
	}
	return s.sets[typeURL].resources[i], true
}

// Index returns where in Resources the resource of that name is, and whether it
// is there.
func (s *Snapshot) Index(typeURL, name string) (int, bool) {
	if s == nil || s.sets[typeURL] == nil {
		return 0, false
	}
	i, ok := s.sets[typeURL].index.at[name]
	return i, ok
}

// Types returns the type URLs of which there are resources, sorted.
func (s *Snapshot) Types() []string {
	if s == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(s.sets))
}

// Version returns the version of all resources of a type, zero if there are
// none.
func (s *Snapshot) Version(typeURL string) Version {
	if s == nil || s.sets[typeURL] == nil {
		return Version{}
	}
	return s.sets[typeURL].version
}

// VersionOf returns the version of the answer to a state-of-the-world request
// for these names: of the resources of the type that bear one of them. A name
// that is absent or repeated adds nothing, so two requests have one version
// exactly if one response answers both.
//
// The version of the type cannot serve here: an Envoy repeats the version it
// was last sent even when its names have grown since, so [a, b] may come with
// the version of [a]; if that were taken for current, b would never be sent.
func (s *Snapshot) VersionOf(typeURL string, names []string) Version {
	var sum Version
	for _, name := range slices.Compact(slices.Sorted(slices.Values(names))) {
		if r, ok := s.Resource(typeURL, name); ok {
			sum = sum.Add(r.version)
		}
	}
	return sum
}

// ContentVersion returns the version of all resources of all types.
func (s *Snapshot) ContentVersion() Version {
	if s == nil {
		return Version{}
	}
	return s.version
}

// AfterInputs reports whether the snapshot was computed after its inputs were
// complete, as told by [Options]. Only of such a snapshot may the absence of
// something be believed, and only such a one may open the gate.
func (s *Snapshot) AfterInputs() bool { return s != nil && s.afterInputs }

// Placeholders returns the empty resources that stand for absent ones, by type
// and name. They are among Resources as well.
func (s *Snapshot) Placeholders() []Resource {
	if s == nil {
		return nil
	}
	return s.placeholders
}

// Withheld returns the resources that were given and are not sent, by type and
// name.
func (s *Snapshot) Withheld() []Withheld {
	if s == nil {
		return nil
	}
	return s.withheld
}

// Dangling returns the references to resources that were not given, or are
// withheld without a last good one, in order. Those that a placeholder answers
// are among them.
func (s *Snapshot) Dangling() []Reference {
	if s == nil {
		return nil
	}
	return s.dangling
}

// Unknowable returns what may be needed besides what the resources name, in
// order. It is for people to read: nothing waits for it and nothing is placed.
func (s *Snapshot) Unknowable() []Unknowable {
	if s == nil {
		return nil
	}
	return s.unknowable
}

// given returns a resource unless a placeholder stands for it.
func (s *Snapshot) given(k key) (Resource, bool) {
	_, isPlaceholder := slices.BinarySearchFunc(s.Placeholders(), k, func(p Resource, k key) int { return compareKeys(p.key(), k) })
	if isPlaceholder {
		return Resource{}, false
	}
	return s.Resource(k.typeURL, k.name)
}
