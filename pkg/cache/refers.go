package cache

import (
	"iter"
	"slices"
	"strings"
)

// Targets returns the names of the resources of a type that r refers to, in
// order, whether they exist or not. For a cluster, the names of type
// ClusterLoadAssignment are the one it asks for.
func (r Resource) Targets(typeURL string) iter.Seq[string] {
	return func(yield func(string) bool) {
		from, _ := slices.BinarySearchFunc(r.known().references.targets, typeURL, func(t target, typeURL string) int {
			return strings.Compare(t.typeURL, typeURL)
		})
		for _, t := range r.known().references.targets[from:] {
			if t.typeURL != typeURL || !yield(t.name) {
				return
			}
		}
	}
}

// Refers reports whether r names the resource.
func (r Resource) Refers(typeURL, name string) bool {
	_, ok := slices.BinarySearchFunc(r.known().references.targets, key{typeURL, name}, func(t target, k key) int {
		return compareKeys(t.key, k)
	})
	return ok
}

// HTTPFilters returns the names of the HTTP filters of a listener, sorted. It
// must not be changed.
func (r Resource) HTTPFilters() []string { return r.known().references.filters }

// FilterOverrides returns the names of the HTTP filters that a route table or
// virtual host configures for some of its routes (typed_per_filter_config),
// sorted. It must not be changed.
func (r Resource) FilterOverrides() []string { return r.known().references.overrides }
