package publish

import (
	"maps"
	"slices"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
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
	repeats := !p.options.Delta && fullState(s.typeURL)
	if r.NACK && repeats {
		last.repeat(earlier)
	} else {
		for _, f := range earlier {
			p.accept(s, f, now)
		}
	}
	switch {
	case r.NACK && repeats && len(s.flights) > 0:
		s.flights[0].repeat([]flight{last}) // what counts is the answer to that
	case r.NACK:
		p.reject(s, last, r.Error, now)
	default:
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
// carried that again, so a NACK of it may be about that.
func (f *flight) repeat(earlier []flight) {
	for _, e := range slices.Backward(earlier) {
		for name, r := range e.sent {
			if _, changed := f.before[name]; !changed {
				f.sent[name] = r
			}
		}
		maps.Copy(f.before, e.before)
		if e.whole != nil {
			f.whole, f.of = e.whole, e.of
		}
	}
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
		p.tablesAccepted(f.names(s), now)
	}
}

// undo says that the proxy kept what it held before a response, under one of
// the names that this carried.
func (p *Proxy) undo(s *subscription, f flight, name string, before entry) {
	if s.typeURL == resourcev3.EndpointType {
		p.starve(name, f.nonce)
	}
	for i := range s.flights { // sent later, so it has replaced it or will
		later := &s.flights[i]
		if _, ok := later.sent[name]; ok {
			later.before[name] = before
			return
		}
	}
	if s.asks(name) {
		s.view.set(s.typeURL, name, before)
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
	if !hasHealthChecks(r) {
		for name := range r.Targets(resourcev3.EndpointType) {
			w.endpoints = name
		}
	}
	p.cold[r.Name()] = w
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

// hasHealthChecks reports whether Envoy checks the endpoints of a cluster before
// it takes it for warm.
func hasHealthChecks(r cache.Resource) bool {
	c, ok := r.Message().(*clusterv3.Cluster)
	return ok && len(c.GetHealthChecks()) > 0
}
