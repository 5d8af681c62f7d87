package xds

import (
	"slices"
	"time"
)

// Transport is the variant of the protocol that a stream speaks.
type Transport string

// The transports.
const (
	SotW  Transport = "sotw"
	Delta Transport = "delta"
)

// State says what a proxy has made of a type, in the words of CSDS.
type State string

// The states of a type, from the best to the worst.
const (
	Synced  State = "SYNCED"   // all that was sent is acknowledged
	NotSent State = "NOT_SENT" // the proxy has asked, and nothing has been sent yet
	Stale   State = "STALE"    // what was sent last is not acknowledged yet
	Failed  State = "ERROR"    // the proxy rejects some of it and keeps what it accepted last
)

// states are all of them, the worst first.
var states = []State{Failed, Stale, NotSent, Synced}

// Proxy is the state of one xDS stream. A proxy that uses the per-type services
// has one stream, so one Proxy, for each type. Nothing in it is content of a
// resource.
type Proxy struct {
	NodeID    string // empty before its first message
	Group     string // its node group; empty before its first message
	Address   string // of the peer
	Transport Transport
	Since     time.Time // when the stream was opened
	// Lag is how long there has been config that the proxy has not
	// acknowledged, whether it was sent or waits for an earlier step. Zero: the
	// proxy has the newest.
	Lag   time.Duration
	Waits string // what the next step waits for, and which removals are held, for people; empty: nothing
	// Leaving is why the proxy was asked to leave this replica, which it does at
	// its next quiet point: drain, age or balance. Empty: it was not.
	Leaving string
	Types   []TypeState
}

// TypeState is the state of one resource type on a stream.
type TypeState struct {
	TypeURL  string
	State    State
	Version  string    // last acknowledged; empty: none yet
	Updated  time.Time // when that was
	NACK     string    // the proxy's words for the rejection that stands; empty: none does
	Rejected []string  // names of the rejected resources, where the proxy or a search has named them
}

// State is the worst state of the proxy's types, and NotSent if there is none.
func (p Proxy) State() State {
	for _, state := range states {
		if slices.ContainsFunc(p.Types, func(t TypeState) bool { return t.State == state }) {
			return state
		}
	}
	return NotSent
}

// Converged reports whether the proxy has acknowledged the newest config of all
// that it subscribes to.
func (p Proxy) Converged() bool { return p.State() == Synced && p.Lag == 0 }
