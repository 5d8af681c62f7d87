package publish

import (
	"maps"
	"slices"
	"time"

	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"

	"github.com/xdsready/xdsready/pkg/cache"
)

// settle works in an ACK or NACK and reports whether the request was one. An
// answer to a response settles those before it too: a SotW Envoy answers only
// the last one that it has read.
func (p *Proxy) settle(s *subscription, nonce uint64, r Request, now time.Time) bool {
	i := slices.IndexFunc(s.flights, func(f flight) bool { return f.nonce == nonce })
	if i < 0 {
		return false
	}
	last, earlier := s.flights[i], slices.Clone(s.flights[:i])
	s.flights = slices.Delete(s.flights, 0, i+1)
	if last.part && len(s.suspects) > 0 {
		s.suspects = s.suspects[1:]
	}
	if r.NACK && !p.options.Delta && fullState(s.typeURL) {
		last.repeat(s, earlier, nil)
		earlier = nil
		if len(s.flights) > 0 { // it repeats what is rejected, so what counts is its answer
			s.flights[0].repeat(s, []flight{last}, blamed(r.Error, last.names(s)))
			p.resendAll(last)
			return true
		}
	}
	for _, f := range earlier {
		p.accept(s, f, now)
	}
	if r.NACK {
		p.reject(s, last, r.Error, now)
	} else {
		s.version, s.updated = last.version, now
		p.accept(s, last, now)
	}
	s.settled, s.unknown = nonce, false
	if s.typeURL == resourcev3.ClusterType && p.loaded {
		p.warmUntil(nonce) // the NACK is held while a cluster warms as well
	}
	p.reviewCold()
	return true
}

// repeat adds to a response of full state what those before it changed: it
// carried that again, so a NACK of it may be about that. bad are names of which
// they were rejected.
func (f *flight) repeat(s *subscription, earlier []flight, bad []string) {
	for _, e := range slices.Backward(earlier) {
		for _, name := range e.names(s) {
			r, _ := e.has(s, name)
			switch later, ok := f.sent[name]; {
			case ok && !later.Equal(r) && slices.Contains(bad, name):
				f.before[name] = e.before[name]
			case ok && !later.Equal(r):
				f.before[name] = entry{resource: r, unknown: true} // whether it took that is not told
			case e.changes(name) && (ok || !f.changes(name)): // else it was removed
				f.sent[name], f.before[name] = r, e.before[name]
			}
		}
		for name, before := range e.before {
			if !f.changes(name) {
				f.before[name] = before
			}
			f.maybe = append(f.maybe, before)
		}
		f.maybe = append(f.maybe, e.maybe...)
		if e.whole != nil {
			f.whole, f.of = e.whole, e.of
		}
	}
}

// changes reports whether the response changed what is held under a name.
func (f *flight) changes(name string) bool {
	_, ok := f.before[name]
	return ok
}

// accept notes that the proxy has what the response carried.
func (p *Proxy) accept(s *subscription, f flight, now time.Time) {
	for name := range f.sent {
		delete(s.rejected, name)
	}
	switch s.typeURL {
	case resourcev3.ListenerType:
		p.drain(s, f, now)
	case resourcev3.EndpointType:
		p.endpointsAccepted(f.nonce)
	case resourcev3.RouteType:
		p.tablesAccepted(s, f, now)
	}
}

// undo says that the proxy kept what it held before a response, under one of
// the names that this carried.
func (p *Proxy) undo(s *subscription, f flight, name string, before entry) {
	s.release(name) // it may be what was refused, or not known any more
	if s.typeURL == resourcev3.EndpointType {
		p.starve(name, f.nonce)
	}
	for i := range s.flights { // a later one has replaced or removed it, or will
		later := &s.flights[i]
		if _, ok := later.before[name]; ok {
			later.before[name] = before
			return
		}
	}
	if s.asks(name) {
		s.view.set(s.typeURL, name, before)
	}
	if _, differs := s.view.except[name]; !differs {
		delete(s.holds, name) // it kept what the target has again
	}
}

// names returns the names that a response carried, sorted.
func (f *flight) names(s *subscription) []string {
	names := slices.Collect(maps.Keys(f.sent))
	for _, r := range f.whole.Resources(s.typeURL) {
		if f.of == nil || f.of.Has(r.Name()) {
			names = append(names, r.Name())
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// warming is a cluster that was sent and is not known warm.
type warming struct {
	resource cache.Resource
	nonce    uint64 // of the CDS response that carried it
	since    time.Time
	replaces bool // the proxy has another cluster of that name, which serves meanwhile

	endpoints string // the load assignment it asks for; empty: none, or it is not enough
	sent      uint64 // the EDS response after nonce that carried it
	accepted  bool   // and was ACKed
}

// heat notes that a cluster was sent.
func (p *Proxy) heat(r cache.Resource, nonce uint64, replaces bool, now time.Time) {
	w := &warming{resource: r, nonce: nonce, replaces: replaces, since: now}
	for name := range r.Targets(resourcev3.EndpointType) {
		if alone := p.asksAlone(name); !r.HealthChecked() && (replaces || alone) {
			w.endpoints = name
		}
	}
	p.cold[r.Name()] = w
}

// asksAlone reports whether it shows that the proxy has accepted a new cluster if
// it asks for its load assignment: no other cluster is a reason to. From now on
// the new one is a reason too.
func (p *Proxy) asksAlone(endpoints string) bool {
	s := p.subs[resourcev3.EndpointType]
	alone := s == nil || !s.asks(endpoints)
	for _, other := range p.cold {
		if !other.resource.Refers(resourcev3.EndpointType, endpoints) {
			continue
		}
		alone = false
		if !other.replaces {
			other.endpoints = ""
		}
	}
	// What is replaced or removed on the way may be what asks.
	return alone && !p.subs[resourcev3.ClusterType].anyHeld(func(e entry) bool {
		return e.unknown || e.resource.Refers(resourcev3.EndpointType, endpoints)
	})
}

// warmUntil makes warm what the CDS responses up to nonce carried.
func (p *Proxy) warmUntil(nonce uint64) {
	for name, w := range p.cold {
		if w.nonce <= nonce {
			delete(p.cold, name)
		}
	}
	if p.allCold <= nonce {
		p.allCold = 0
	}
}

// endpointsSent notes that a response carries a load assignment.
func (p *Proxy) endpointsSent(name string, nonce uint64) {
	for _, w := range p.cold {
		if w.endpoints == name && w.sent == 0 {
			w.sent = nonce
		}
	}
}

// waitsFor reports whether a cold cluster has the load assignment.
func (p *Proxy) waitsFor(endpoints string) bool {
	for _, w := range p.cold {
		if w.resource.Refers(resourcev3.EndpointType, endpoints) {
			return true
		}
	}
	return false
}

// starve takes back that a load assignment was sent.
func (p *Proxy) starve(name string, nonce uint64) {
	for _, w := range p.cold {
		if w.endpoints == name && w.sent == nonce {
			w.sent = 0
		}
	}
}

func (p *Proxy) endpointsAccepted(nonce uint64) {
	for _, w := range p.cold {
		w.accepted = w.accepted || w.sent != 0 && w.sent <= nonce
	}
}

// reviewCold makes the clusters warm that have all they need by the finer signal.
func (p *Proxy) reviewCold() {
	for name, w := range p.cold {
		if w.endpoints != "" && w.accepted && p.hasSecrets(w.resource) {
			delete(p.cold, name)
		}
	}
}

// hasSecrets reports whether the proxy has accepted all secrets that r names.
func (p *Proxy) hasSecrets(r cache.Resource) bool {
	for name := range r.Targets(resourcev3.SecretType) {
		if !p.accepted(resourcev3.SecretType, name) {
			return false
		}
	}
	return true
}
