package publish

import (
	"strings"
	"time"

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
		r, known := cache.Resource{}, false
		if ok {
			r, known = p.target.find(s.typeURL, name, version)
		}
		s.view.set(s.typeURL, name, entry{resource: r, unknown: !known})
		if _, differs := s.view.except[name]; !differs {
			current++
		}
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

// resumeSotW works in the version that a SotW proxy says it holds. A version of
// parts, NEW+OLD, was sent in the middle of a switch: the proxy has what differs
// between the two from either. It is taken to have the old, which costs at most
// that something is sent again.
func (p *Proxy) resumeSotW(s *subscription, version string, now time.Time) {
	if version == "" {
		return
	}
	p.resumed = true
	parts := strings.Split(version, "+")
	base, ok := p.generation(parts[0], func(g *cache.Snapshot) cache.Version {
		if s.wildcard {
			return g.Version(s.typeURL)
		}
		return s.names.in(g, s.typeURL).version
	})
	if !ok {
		s.unknown = true
		if fullState(s.typeURL) || ordered(s.typeURL) {
			p.note(Event{Kind: UnknownVersion, TypeURL: s.typeURL, Message: version})
		}
		return
	}
	s.fresh, s.view, s.version, s.updated = false, view{base: base}, version, now
	for _, part := range parts[1:] {
		old, ok := p.generation(part, func(g *cache.Snapshot) cache.Version { return g.Version(s.typeURL) })
		if !ok {
			continue
		}
		for _, r := range old.Resources(s.typeURL) {
			if s.asks(r.Name()) && !s.view.entry(s.typeURL, r.Name()).is(r, true) {
				s.view.set(s.typeURL, r.Name(), entry{resource: r, origin: old.Version(s.typeURL)})
			}
		}
	}
	p.rebase(s)
}

// generation returns the snapshot that a version belongs to.
func (p *Proxy) generation(text string, versionIn func(*cache.Snapshot) cache.Version) (*cache.Snapshot, bool) {
	version, ok := cache.ParseVersion(text)
	if !ok {
		return nil, false
	}
	return p.target.generation(version, versionIn)
}
