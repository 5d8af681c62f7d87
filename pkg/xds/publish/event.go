package publish

import (
	"maps"
	"slices"
	"time"
)

// EventKind says what happened.
type EventKind uint8

// The kinds of events.
const (
	Rejected       EventKind = iota // the proxy refused the resources Names, for the first time
	DeadlinePassed                  // a switch of Names did not wait longer; for what says Cause
	Resumed                         // a stream of a proxy that held config got its first response
	UnknownVersion                  // a proxy came with a version that is not known here
	UnknownOld                      // with one that is, but for clusters that were to be removed
	RemovalsHeld                    // a large loss is held back; Names are some of it
)

// Cause is what a switch waited for.
type Cause string

// The causes, values of a metric's label.
const (
	ClusterCold     Cause = "cluster_cold"     // a cluster that is not known warm
	ClusterRejected Cause = "cluster_rejected" // a cluster that the proxy refused
	NotAsked        Cause = "not_asked"        // the proxy's request for clusters
	OtherSide       Cause = "other_side"       // the listener of a route table, or the reverse
)

// Causes returns all causes.
func Causes() []Cause { return []Cause{ClusterCold, ClusterRejected, NotAsked, OtherSide} }

// How a resumed stream began, values of a metric's label.
const (
	ResumedCurrent = "current" // it needed nothing
	ResumedChanged = "changed" // it was sent what differs
	ResumedUnknown = "unknown" // a version was not known, so it was sent all of a type
)

// Event is something that people want to know: for logs and metrics.
type Event struct {
	Kind    EventKind
	TypeURL string
	Names   []string
	Message string // the proxy's, for Rejected; the version; what is waited for; how many are held, of how many
	Cause   Cause
	Result  string // of Resumed
}

func (p *Proxy) note(e Event) { p.events = append(p.events, e) }

// Events returns what has happened since the last call.
func (p *Proxy) Events() []Event {
	events := p.events
	p.events = nil
	return events
}

// TypeState is where a type stands on the stream.
type TypeState struct {
	TypeURL  string
	Answered bool      // something was sent, or the proxy came with the current version
	Current  bool      // the proxy has acknowledged all that it is to have, but for removals
	Version  string    // acknowledged last
	Updated  time.Time // when that was
	Rejected []string  // names of the resources that it refused, sorted
	Message  string    // why, of the last of them
}

// Types returns where the types that the proxy asks for stand, in order.
func (p *Proxy) Types() []TypeState {
	var states []TypeState
	for _, typeURL := range slices.Sorted(maps.Keys(p.subs)) {
		s := p.subs[typeURL]
		state := TypeState{
			TypeURL: typeURL, Version: s.version, Updated: s.updated,
			Answered: !s.fresh, Current: p.current(s), Rejected: slices.Sorted(maps.Keys(s.rejected)),
		}
		var last time.Time
		for _, r := range s.rejected {
			if !r.at.Before(last) {
				last, state.Message = r.at, r.message
			}
		}
		states = append(states, state)
	}
	return states
}

// Names returns how many names of a type the proxy asks for.
func (p *Proxy) Names(typeURL string) int {
	if s := p.subs[typeURL]; s != nil {
		return len(s.names.All())
	}
	return 0
}

// Current reports whether the proxy has acknowledged all that it is to have, of
// all types that it asks for. That something is still to be removed does not count.
func (p *Proxy) Current() bool {
	for _, s := range p.subs {
		if !p.current(s) {
			return false
		}
	}
	return true
}

func (p *Proxy) current(s *subscription) bool {
	if s.fresh || len(s.flights) > 0 {
		return false
	}
	for name := range s.view.except {
		if _, ok := p.target.resource(s.typeURL, name); ok && !s.keeps(name) {
			return false
		}
	}
	return true
}

// switchWaits says in words what the next switch waits for; empty: no switch waits.
func (p *Proxy) switchWaits() string {
	for _, typeURL := range order {
		s := p.subs[typeURL]
		if s == nil || len(s.holds) == 0 {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(s.holds)) {
			if r, ok := p.target.resource(typeURL, name); ok && s.holds[name].block != nil {
				return r.String() + " waits: " + s.holds[name].block.String()
			}
		}
	}
	return ""
}

// Need is how much a proxy lacks.
type Need int

// The needs, in the order in which proxies that come at the same time are let in.
const (
	Nothing Need = iota // it holds all that it asks for, in its newest version
	Cold                // it asks for a type of which it holds nothing
	Older               // it serves with something older
)

// String returns the need as a label value.
func (n Need) String() string { return [...]string{"nothing", "cold", "older"}[n] }

// Need returns what the proxy lacks of the types that it has asked for until now.
func (p *Proxy) Need() Need {
	need := Nothing
	for _, s := range p.subs {
		switch {
		case s.fresh && !s.unknown:
			return Cold
		case s.fresh || !p.current(s):
			need = Older
		}
	}
	return need
}

// Quiet reports whether every type has had its first response, and the proxy has
// answered all responses.
func (p *Proxy) Quiet() bool {
	for _, s := range p.subs {
		if s.fresh || len(s.flights) > 0 {
			return false
		}
	}
	return true
}

// Switching reports whether the proxy is in the middle of a step: it has not
// answered all responses, or a switch waits.
func (p *Proxy) Switching() bool {
	for _, s := range p.subs {
		if len(s.flights) > 0 || len(s.holds) > 0 {
			return true
		}
	}
	return false
}
