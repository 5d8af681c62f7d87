package cache

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
)

// Options says what [Build] should know besides the resources. The zero value
// is a first snapshot that was not computed after its inputs.
type Options struct {
	// Previous is the snapshot that the proxies of the group have now, nil if
	// there is none. A resource that must be withheld stays as it was there.
	Previous *Snapshot
	// AfterInputs says that the resources were computed after everything they
	// derive from had been known: all informers synced, all files read. Until
	// then an absence means "not known yet", after it "known absent". See
	// [Snapshot.AfterInputs].
	AfterInputs bool
}

// DuplicateError says that two resources of one type have one name.
type DuplicateError struct {
	TypeURL, Name string
	First, Second int // where the two are in the slice given to Build, from 0
}

func (e *DuplicateError) Error() string {
	return fmt.Sprintf("two resources are %s %q (numbers %d and %d): rename or remove one",
		Kind(e.TypeURL), e.Name, e.First, e.Second)
}

// Build makes a snapshot that is closed: whatever a proxy will ask for because
// of a resource in it is in it too, as far as the resources can be read.
//
//  1. A resource that refers to an absent secret is withheld ([Snapshot.Withheld]).
//  2. A load assignment or route table that is referred to and absent is
//     present as an empty placeholder ([Snapshot.Placeholders]).
//  3. Any other absent resource that is referred to stays absent. It, and what
//     rules 1 and 2 made up for, is in [Snapshot.Dangling].
//  4. What a reference depends on but no resource can tell is in
//     [Snapshot.Unknowable].
//
// The error is a [*DuplicateError], or one that says that a Resource was not
// made with [NewResource]. Nothing that is merely absent is an error.
func Build(resources []Resource, o Options) (*Snapshot, error) {
	b, err := newBuilder(resources)
	if err != nil {
		return nil, err
	}
	s := &Snapshot{afterInputs: o.AfterInputs}
	s.withheld = b.withhold(o.Previous)
	s.dangling, s.unknowable = b.resolve()
	s.placeholders, err = b.place(s.dangling)
	if err != nil {
		return nil, err
	}
	return b.snapshot(o.Previous, s), nil
}

// Served returns a snapshot of exactly these resources: what another replica has
// served, of one type perhaps, of which this one only needs to know what it was.
// So nothing is withheld and nothing placed. It shares memory with the snapshot
// beside. The errors are those of [Build].
func Served(resources []Resource, beside *Snapshot) (*Snapshot, error) {
	b, err := newBuilder(resources)
	if err != nil {
		return nil, err
	}
	return b.snapshot(beside, &Snapshot{}), nil
}

// key identifies a resource within a snapshot.
type key struct{ typeURL, name string }

func compareKeys(a, b key) int {
	return cmp.Or(cmp.Compare(a.typeURL, b.typeURL), cmp.Compare(a.name, b.name))
}

func (r Resource) key() key { return key{r.TypeURL(), r.Name()} }

// builder holds what a snapshot will contain while Build decides it.
type builder struct {
	byKey map[key]Resource
	order []Resource // by type and name; nil: to be sorted
}

func newBuilder(resources []Resource) (*builder, error) {
	b := &builder{byKey: make(map[key]Resource, len(resources))}
	for second, r := range resources {
		if r.record == nil {
			return nil, fmt.Errorf("resource number %d is the zero Resource: make it with NewResource", second)
		}
		if _, ok := b.byKey[r.key()]; ok {
			first := slices.IndexFunc(resources, func(o Resource) bool { return o.key() == r.key() })
			return nil, &DuplicateError{TypeURL: r.typeURL, Name: r.name, First: first, Second: second}
		}
		b.byKey[r.key()] = r
	}
	b.order = slices.Clone(resources)
	slices.SortFunc(b.order, compareResources) // fast where they come in order, as from a builder that keeps them so
	return b, nil
}

func compareResources(x, y Resource) int {
	return cmp.Or(strings.Compare(x.typeURL, y.typeURL), strings.Compare(x.name, y.name))
}

func (b *builder) put(r Resource) { b.byKey[r.key()], b.order = r, nil }

func (b *builder) drop(k key) {
	delete(b.byKey, k)
	b.order = nil
}

// sorted returns what the builder holds, by type and name.
func (b *builder) sorted() []Resource {
	if b.order == nil {
		b.order = slices.SortedFunc(maps.Values(b.byKey), compareResources)
	}
	return b.order
}

// withhold takes out each resource that refers to an absent secret, or puts the
// previous one in its place. All are judged by the secrets that were given,
// before any is put back: a secret that stays only for a last good resource is
// no reason to let a new one in.
//
// What only a withheld resource refers to is needed by nobody, so it gets no
// placeholder; what refers to a withheld resource dangles.
func (b *builder) withhold(previous *Snapshot) []Withheld {
	var withheld []Withheld
	for _, r := range b.sorted() {
		if absent := b.absentSecrets(r, previous); len(absent) > 0 {
			withheld = append(withheld, Withheld{Resource: r, Secrets: absent})
		}
	}
	for i, w := range withheld {
		b.drop(w.Resource.key())
		if last, ok := previous.given(w.Resource.key()); ok {
			withheld[i].Kept = true
			b.keep(last, previous)
		}
	}
	return withheld
}

// keep puts back a resource of the previous snapshot and all that it needs and
// that is absent now: a last good cluster without its endpoints, or a last good
// listener without its routes, would not be good. To end the use of what is
// kept, change or remove what refers to it.
func (b *builder) keep(last Resource, previous *Snapshot) {
	b.put(last)
	for _, t := range last.references.targets {
		if b.has(t) {
			continue
		}
		if needed, ok := previous.given(t.key); ok {
			b.keep(needed, previous)
		}
	}
}

// absentSecrets returns the names of the secrets that r needs and that are
// known absent. One that may come from another server is known absent only if
// it was served from here before.
func (b *builder) absentSecrets(r Resource, previous *Snapshot) (names []string) {
	for _, t := range r.references.targets {
		if t.typeURL != resourcev3.SecretType || b.has(t) {
			continue
		}
		if _, served := previous.Resource(t.typeURL, t.name); t.maybeElsewhere && !served {
			continue
		}
		names = append(names, t.name)
	}
	return names
}

// resolve follows each reference of what is left and returns those that lead
// nowhere, and what cannot be followed.
func (b *builder) resolve() (dangling []Reference, unknowable []Unknowable) {
	for _, r := range b.sorted() {
		for _, reason := range r.references.unknown {
			unknowable = append(unknowable, Unknowable{r.typeURL, r.name, reason})
		}
		for _, t := range r.references.targets {
			switch {
			case b.has(t):
			case t.maybeElsewhere && !placeable(t.typeURL):
				reason := fmt.Sprintf("%s %q may come from another server (api_config_source)", Kind(t.typeURL), t.name)
				unknowable = append(unknowable, Unknowable{r.typeURL, r.name, reason})
			default:
				dangling = append(dangling, Reference{r.typeURL, r.name, t.typeURL, t.name})
			}
		}
	}
	return dangling, unknowable
}

func (b *builder) has(t target) bool {
	_, ok := b.byKey[t.key]
	return ok
}

// snapshot fills s with what the builder holds.
func (b *builder) snapshot(previous, s *Snapshot) *Snapshot {
	s.sets = b.sets()
	for typeURL, set := range s.sets {
		s.sets[typeURL] = set.sharing(previous.set(typeURL))
		s.version = s.version.Add(set.version)
	}
	return s
}

// sets groups what the builder holds by type.
func (b *builder) sets() map[string]*set {
	sets := make(map[string]*set)
	for _, r := range b.sorted() {
		s, ok := sets[r.typeURL]
		if !ok {
			s = &set{index: &index{at: make(map[string]int)}}
			sets[r.typeURL] = s
		}
		s.index.at[r.name] = len(s.resources)
		s.resources = append(s.resources, r)
		s.version = s.version.Add(r.version)
	}
	return sets
}
