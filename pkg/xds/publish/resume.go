package publish

import (
	"time"

	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"

	"github.com/xdsready/xdsready/pkg/cache"
)

// resumeDelta works in what a delta proxy says it holds from an earlier stream:
// the version of each resource.
func (p *Proxy) resumeDelta(s *subscription, initial map[string]string, now time.Time) {
	if len(initial) == 0 {
		return
	}
	p.resumed = true
	s.fresh, s.view, s.updated = false, view{base: p.target.snapshot}, now
	s.version = p.target.snapshot.Version(s.typeURL).String()
	current := 0
	for name, text := range initial {
		if !s.asks(name) {
			continue
		}
		version, ok := cache.ParseVersion(text)
		if r, exists := p.target.resource(s.typeURL, name); ok && exists && r.Version() == version {
			current++
			continue
		}
		r, known := p.target.find(s.typeURL, name, version)
		s.view.set(s.typeURL, name, entry{resource: r, unknown: !ok || !known})
	}
	asked := s.names.All()
	if s.wildcard && current == len(p.target.snapshot.Resources(s.typeURL)) || !s.wildcard && current == len(asked) {
		return // the usual case: it has all
	}
	for _, r := range p.target.snapshot.Resources(s.typeURL) {
		if _, ok := initial[r.Name()]; !ok && s.asks(r.Name()) {
			s.view.set(s.typeURL, r.Name(), entry{})
		}
	}
	for _, name := range asked {
		if _, ok := initial[name]; !ok {
			s.missing = append(s.missing, name)
		}
	}
}

// resumeSotW works in the version that a SotW proxy says it holds. An Envoy goes
// on saying it when it has dropped all names of a type. It then asks later for
// new ones, while a stream begins with all that it holds.
func (p *Proxy) resumeSotW(s *subscription, version string, now time.Time) {
	if version == "" || !fullState(s.typeURL) && !now.Before(p.since.Add(listen)) {
		return
	}
	p.resumed, s.claim = true, version
	p.recognize(s)
}

// recognize works in the version that a SotW proxy came with, if it is known by now.
func (p *Proxy) recognize(s *subscription) {
	if !s.fresh || s.claim == "" {
		return
	}
	held, unknown := p.viewOf(s, s.claim)
	if s.unknown = unknown; unknown {
		return
	}
	s.fresh, s.view, s.version, s.updated = false, held, s.claim, p.since
	p.rebase(s)
}

// mayBeKnown reports whether another replica may have made the version that a proxy
// came with, of something that this one has not read yet.
func (s *subscription) mayBeKnown() bool {
	_, _, _, ok := parseVersion(s.claim)
	return s.fresh && s.unknown && ok
}

// viewOf returns what a proxy of that version holds, or that it is not known.
func (p *Proxy) viewOf(s *subscription, version string) (held view, unknown bool) {
	set, more, less, ok := parseVersion(version)
	if !ok {
		return view{}, true
	}
	held.base, ok = p.target.generation(func(g *cache.Snapshot) bool {
		// It may have accepted all resources and ask for fewer now: then it has these.
		return g.Version(s.typeURL) == set || !s.wildcard && s.names.in(g, s.typeURL).version == set
	})
	if !ok {
		return view{}, true
	}
	for _, v := range less {
		// Of what it lacks it has no cluster. In the place of something else it may
		// have what was made for it alone.
		if r, ok := p.target.findVersion(s.typeURL, v); ok && s.asks(r.Name()) {
			held.set(s.typeURL, r.Name(), entry{unknown: s.typeURL != resourcev3.ClusterType})
		}
	}
	for _, v := range more {
		r, ok := p.target.findVersion(s.typeURL, v)
		switch {
		case ok && s.asks(r.Name()):
			held.set(s.typeURL, r.Name(), entry{resource: r})
		case ok:
		case s.typeURL == resourcev3.ClusterType:
			// It was to be removed before this replica read its first config. Nothing
			// that is known here refers to it, and it goes with the next response, which
			// comes when it would have been removed at the latest.
			p.note(Event{Kind: UnknownOld, TypeURL: s.typeURL, Message: v.String()})
			s.sweep = p.since.Add(p.options.RemovalDelay)
		default:
			return view{}, true
		}
	}
	return held, false
}
