package cache

import (
	"cmp"
	"fmt"
	"slices"

	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
)

// Reference says that one resource names another.
type Reference struct {
	FromType, FromName string // type URL and name of the resource that refers
	Type, Name         string // type URL and name of what it refers to
}

// String returns a line such as `route table "r" refers to cluster "a"`.
func (r Reference) String() string {
	return fmt.Sprintf("%s %q refers to %s %q", Kind(r.FromType), r.FromName, Kind(r.Type), r.Name)
}

// Unknowable says that a resource may need something that its text does not
// name, such as the cluster of a route with cluster_header.
type Unknowable struct {
	FromType, FromName string
	Reason             string // one plain clause
}

// String returns a line such as
// `route table "r": a request header names the cluster`.
func (u Unknowable) String() string {
	return fmt.Sprintf("%s %q: %s", Kind(u.FromType), u.FromName, u.Reason)
}

// Withheld is a resource that is not sent because it refers to absent secrets.
// An Envoy that got it would wait 15 s for the secrets and then use it broken:
// a cluster that served until then would answer 503.
type Withheld struct {
	Resource Resource
	Secrets  []string // names of the absent secrets, sorted
	// Kept says that the previous snapshot's resource of this name stays in its
	// place, together with the secrets it needs even if those are absent now.
	// If false there was none, and proxies get no resource of this name.
	Kept bool
}

// String returns a line such as
// `cluster "a" is withheld: absent secrets ["tls"]; the last good one stays`.
func (w Withheld) String() string {
	line := fmt.Sprintf("%s is withheld: absent secrets %q", w.Resource, w.Secrets)
	if w.Kept {
		line += "; the last good one stays"
	}
	return line
}

// key identifies a resource within a snapshot.
type key struct{ typeURL, name string }

func compareKeys(a, b key) int {
	return cmp.Or(cmp.Compare(a.typeURL, b.typeURL), cmp.Compare(a.name, b.name))
}

func (r Resource) key() key { return key{r.typeURL, r.name} }

// builder holds what a snapshot will contain while Build decides it.
type builder map[key]Resource

func newBuilder(resources []Resource) (builder, error) {
	b := make(builder, len(resources))
	for second, r := range resources {
		if r.typeURL == "" {
			return nil, fmt.Errorf("resource number %d is the zero Resource: make it with NewResource", second)
		}
		if _, ok := b[r.key()]; ok {
			first := slices.IndexFunc(resources, func(o Resource) bool { return o.key() == r.key() })
			return nil, &DuplicateError{TypeURL: r.typeURL, Name: r.name, First: first, Second: second}
		}
		b[r.key()] = r
	}
	return b, nil
}

// sorted returns what the builder holds, by type and name.
func (b builder) sorted() []Resource {
	all := make([]Resource, 0, len(b))
	for _, r := range b {
		all = append(all, r)
	}
	slices.SortFunc(all, func(x, y Resource) int { return compareKeys(x.key(), y.key()) })
	return all
}

// withhold takes out each resource that refers to an absent secret, or puts the
// previous one in its place. All are judged by the secrets that were given,
// before any is put back: a secret that stays only for a last good resource is
// no reason to let a new one in.
//
// What only a withheld resource refers to is needed by nobody, so it gets no
// placeholder; what refers to a withheld resource dangles.
func (b builder) withhold(previous *Snapshot) []Withheld {
	var withheld []Withheld
	for _, r := range b.sorted() {
		if absent := b.absentSecrets(r, previous); len(absent) > 0 {
			withheld = append(withheld, Withheld{Resource: r, Secrets: absent})
		}
	}
	for i, w := range withheld {
		last, ok := previous.given(w.Resource.key())
		if !ok {
			delete(b, w.Resource.key())
			continue
		}
		withheld[i].Kept = true
		b[last.key()] = last
		b.carrySecrets(last, previous)
	}
	return withheld
}

// absentSecrets returns the names of the secrets that r needs and that are
// known absent. One that may come from another server is known absent only if
// it was served from here before.
func (b builder) absentSecrets(r Resource, previous *Snapshot) (names []string) {
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

// carrySecrets keeps the secrets of a last good resource, without which it
// would not be good for a proxy that starts now. To end the use of a key,
// change or remove what refers to it.
func (b builder) carrySecrets(last Resource, previous *Snapshot) {
	for _, t := range last.references.targets {
		if t.typeURL != resourcev3.SecretType || b.has(t) {
			continue
		}
		if secret, ok := previous.Resource(t.typeURL, t.name); ok {
			b[secret.key()] = secret
		}
	}
}

// resolve follows each reference of what is left and returns those that lead
// nowhere, and what cannot be followed.
func (b builder) resolve() (dangling []Reference, unknowable []Unknowable) {
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

func (b builder) has(t target) bool {
	_, ok := b[t.key]
	return ok
}

// sets groups what the builder holds by type.
func (b builder) sets() map[string]set {
	sets := make(map[string]set)
	for _, r := range b.sorted() {
		s := sets[r.typeURL]
		s.resources = append(s.resources, r)
		s.version = s.version.Add(r.version)
		sets[r.typeURL] = s
	}
	return sets
}
