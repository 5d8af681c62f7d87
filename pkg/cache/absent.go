package cache

import "fmt"

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
	// place, and with it whatever it needs that would be absent otherwise: its
	// secrets, endpoints and routes. If false there was none, and proxies get no
	// resource of this name.
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
