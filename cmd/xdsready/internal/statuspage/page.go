// Package statuspage shows the state of a running control plane: as a page for
// people, which needs no script and no other file, and as JSON for programs.
//
// The JSON form of a Page is an interface that only grows: durations are in
// seconds, times in RFC 3339, and lists are never null.
package statuspage

import (
	"slices"
	"time"

	"github.com/xdsready/xdsready/pkg/ready"
)

// Page is the state of a control plane at one moment.
type Page struct {
	Time    time.Time    `json:"time"`    // the moment, by the clock of the control plane
	Build   string       `json:"build"`   // version of the program
	Source  string       `json:"source"`  // where the config comes from, as --source
	Status  ready.Status `json:"status"`  // the same as the body of /readyz?format=json
	Faults  []Fault      `json:"faults"`  // by source
	Groups  []Group      `json:"groups"`  // by name
	Peers   []Peer       `json:"peers"`   // other replicas, by address; empty without --peers
	Proxies []Proxy      `json:"proxies"` // connected xDS streams, by node
}

// Fault is why the last change of a source was not taken. What the source gave
// before keeps serving.
type Fault struct {
	Source  string    `json:"source"`
	Message string    `json:"message"` // may have several lines
	Since   time.Time `json:"since"`
}

// Group is a node group with its latest snapshot.
type Group struct {
	Name      string         `json:"name"`
	Version   string         `json:"version"`   // content version, 32 hex digits
	Since     time.Time      `json:"since"`     // when this content was stored
	Resources map[string]int `json:"resources"` // how many, by kind, as "cluster"

	// What is absent from the snapshot or peculiar about it, a sentence each.
	Dangling     []string `json:"dangling"`     // references to what is absent
	Placeholders []string `json:"placeholders"` // empty resources in the place of absent ones
	Withheld     []string `json:"withheld"`     // not sent, since they need an absent secret
	Unknowable   []string `json:"unknowable"`   // may need what no resource names
}

// withLists returns the page with empty lists instead of nil ones, so that its
// JSON has no null.
func (p Page) withLists() Page {
	p.Faults = orEmpty(p.Faults)
	p.Status.Tiers = orEmpty(p.Status.Tiers)
	p.Groups = slices.Clone(orEmpty(p.Groups))
	for i := range p.Groups {
		g := &p.Groups[i]
		g.Dangling, g.Placeholders = orEmpty(g.Dangling), orEmpty(g.Placeholders)
		g.Withheld, g.Unknowable = orEmpty(g.Withheld), orEmpty(g.Unknowable)
		if g.Resources == nil {
			g.Resources = map[string]int{}
		}
	}
	p.Peers = slices.Clone(orEmpty(p.Peers))
	for i := range p.Peers {
		p.Peers[i].Differences = orEmpty(p.Peers[i].Differences)
	}
	p.Proxies = slices.Clone(orEmpty(p.Proxies))
	for i := range p.Proxies {
		p.Proxies[i].Types = orEmpty(p.Proxies[i].Types)
	}
	return p
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
