package main

import (
	"fmt"
	"math"
	"strconv"
)

// spec says what one row of the table measures, with what it compares that, and
// what must hold.
type spec struct {
	name   string // BENCHMARK/ROW, for --only
	what   string // what is measured on our side
	unit   string
	peer   string // what is measured on the other side; empty: nothing
	target target
}

// target is what must hold for a row. The zero target is none: the row informs.
type target struct {
	sense sense
	// ofRatio: the limit is for ours divided by the peer's, which hardly
	// depends on the machine; otherwise for our number itself.
	ofRatio bool
	limit   float64
}

type sense string

const (
	none    sense = ""
	atMost  sense = "≤"
	atLeast sense = "≥"
)

// met reports whether the target holds for a row's numbers.
func (t target) met(m measurement) bool {
	limit := t.limit
	if t.ofRatio {
		limit *= m.peer
	}
	if t.sense == atLeast {
		return m.ours >= limit
	}
	return m.ours <= limit
}

// in returns the target in words; unit is that of the row's numbers.
func (t target) in(unit string) string {
	switch {
	case t.sense == none:
		return ""
	case t.ofRatio:
		return fmt.Sprintf("%s %sx", t.sense, short(t.limit))
	}
	return fmt.Sprintf("%s %s", t.sense, quantity(t.limit, unit))
}

// measurement holds the two numbers of a row. peer means nothing where the row
// has no peer.
type measurement struct{ ours, peer float64 }

// row is a measured row, in the form of --output json.
type row struct {
	Name      string   `json:"name"`
	What      string   `json:"what"`
	Unit      string   `json:"unit"` // of ours and peerValue
	Ours      float64  `json:"ours"`
	Peer      string   `json:"peer,omitempty"`
	PeerValue *float64 `json:"peerValue,omitempty"`
	Ratio     *float64 `json:"ratio,omitempty"`  // ours / peerValue; absent where that is 0
	Target    string   `json:"target,omitempty"` // in words; absent: the row informs
	Result    result   `json:"result,omitempty"` // absent where there is no target
}

type result string

const (
	pass result = "pass"
	miss result = "miss"
)

// judge makes the row of what was measured.
func (s spec) judge(m measurement) row {
	r := row{Name: s.name, What: s.what, Unit: s.unit, Ours: m.ours, Peer: s.peer, Target: s.target.in(s.unit)}
	if s.peer != "" {
		r.PeerValue = &m.peer
		if m.peer != 0 {
			ratio := m.ours / m.peer
			r.Ratio = &ratio
		}
	}
	switch {
	case s.target.sense == none:
	case s.target.met(m):
		r.Result = pass
	default:
		r.Result = miss
	}
	return r
}

// quantity is a number with its unit, for people.
func quantity(value float64, unit string) string { return short(value) + " " + unit }

// short is a number with three digits, or all of those before the point.
func short(value float64) string {
	if math.Abs(value) >= 100 {
		return strconv.FormatFloat(value, 'f', 0, 64)
	}
	return strconv.FormatFloat(value, 'g', 3, 64)
}
