package admission

import "time"

// stepGap separates the steps of one snapshot from later responses: a server
// that waits for ACKs sends its next step at once when an ACK arrives.
const stepGap = time.Second

// phase is where a subscription stands.
type phase uint8

const (
	absent     phase = iota // not subscribed
	unanswered              // subscribed, nothing sent yet
	sent                    // a response is out
	acked                   // the last response was accepted
	rejected                // the last response was not
)

// subscription is the progress of one type on one stream.
type subscription struct {
	phase phase
	asked bool   // the next response answers a request and is no push
	nonce string // of the last response
}

// progress follows one discovery stream, by the messages on it alone: it is a
// state machine without clock, lock or I/O. It cannot see what the server has
// not sent, so a stream counts as converged when every type it has subscribed
// to was answered and the last answer ACKed. A type that a proxy brings along
// from an earlier stream counts as ACKed until the server sends something.
type progress struct {
	ads   bool      // the stream carries all types
	began time.Time // the call arrived, held or not

	types   [typeCount]subscription
	pending int       // subscriptions that are neither absent nor acked
	since   time.Time // pending is not 0 since then

	resumed bool // the proxy had config before this stream
	full    bool // first_config_seconds was measured

	stored  time.Time // a snapshot of the group was stored; zero: none since the last measurement
	pushed  bool      // something was sent since, unasked
	settled time.Time // and all of it ACKed; zero: not yet
}

// measured is what an event completed; zero durations mean nothing.
type measured struct{ firstConfig, convergence time.Duration }

// converged reports whether the proxy has ACKed all it subscribed to.
func (p *progress) converged() bool { return p.pending == 0 }

// onStored is told that a snapshot of the stream's group was stored. Where the
// proxy still has to ACK an older one, the time goes on from that.
func (p *progress) onStored(now time.Time) measured {
	m := p.finish()
	if !p.pushed {
		p.stored = now
	}
	return m
}

// onRequest is told of a message from the proxy.
func (p *progress) onRequest(now time.Time, r request) (m measured) {
	s := &p.types[r.resource]
	s.asked = s.asked || r.asks
	switch {
	case s.phase == absent && r.nonce == "":
		p.subscribe(now, s, r.holds)
	case s.phase == absent:
		// Answers what it has not asked for.
	case r.nonce == "" || r.nonce != s.nonce:
		// Asks for more, or answers an earlier response: the last one's answer settles that.
	case s.phase != sent:
		s.asked = true // SotW: the last nonce once more is a changed subscription
	case r.rejected:
		s.phase = rejected
	default:
		s.phase = acked
		m.firstConfig = p.ack(now)
	}
	return m
}

// subscribe is told of the first request for a type.
func (p *progress) subscribe(now time.Time, s *subscription, holds bool) {
	s.asked = true
	if holds {
		p.resumed = true
		s.phase = acked
		return
	}
	s.phase = unanswered
	p.open(now)
}

// onResponse is told of a message to the proxy, before it is sent.
func (p *progress) onResponse(now time.Time, r response) (m measured) {
	s := &p.types[r.resource]
	if s.phase == absent {
		return m // unrequested: whether it will be ACKed is unknown
	}
	if p.quiet(now) {
		m = p.finish()
	}
	since := now
	if !s.asked && !p.stored.IsZero() {
		p.pushed = true
		since = p.stored
	}
	if s.phase == acked {
		p.open(since)
	}
	s.phase, s.nonce, s.asked = sent, r.nonce, false
	return m
}

// open counts one more subscription that is not acked.
func (p *progress) open(since time.Time) {
	if p.pending == 0 {
		p.since = since
	}
	p.pending++
}

// ack counts one less and returns the time to the first full config, if this
// was the ACK that made it full.
func (p *progress) ack(now time.Time) (firstConfig time.Duration) {
	p.pending--
	if p.pending > 0 {
		return 0
	}
	if p.pushed {
		p.settled = now
	}
	if p.full || p.resumed || p.ads && p.types[typeListener].phase != acked {
		return 0
	}
	p.full = true
	return now.Sub(p.began)
}

// quiet reports whether the proxy has ACKed what the last snapshot set off, so
// long ago that a response sent now has another cause.
func (p *progress) quiet(now time.Time) bool {
	return p.pending == 0 && !p.settled.IsZero() && now.Sub(p.settled) > stepGap
}

// finish measures a convergence that has come to its end, if there is one.
func (p *progress) finish() (m measured) {
	if p.pending == 0 && !p.settled.IsZero() {
		m.convergence = p.settled.Sub(p.stored)
		p.stored, p.pushed, p.settled = time.Time{}, false, time.Time{}
	}
	return m
}
