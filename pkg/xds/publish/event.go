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
	Message string // the proxy's, for Rejected; the version; what is waited for
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
// all types that it asks for. That old clusters are still to be removed does not count.
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
		if _, ok := p.target.resource(s.typeURL, name); ok {
			return false
		}
	}
	return true
}

// Waits says in words what the next switch waits for; empty: no switch waits.
func (p *Proxy) Waits() string {
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

// Starting reports whether a type that the proxy asks for, and holds nothing of,
// is still to get its first response: all there is of it.
func (p *Proxy) Starting() bool {
	for _, s := range p.subs {
		if s.fresh && !s.unknown {
			return true
		}
	}
	return false
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
