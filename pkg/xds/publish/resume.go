package publish

import (
	"slices"
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
	held, lost, ok := p.viewOf(s, s.claim)
	s.lost = slices.DeleteFunc(lost, func(v cache.Version) bool { return s.vain[v] || !p.recalls(s.typeURL) })
	if s.unknown = !ok || len(s.lost) > 0; s.unknown {
		return
	}
	if len(lost) > 0 {
		// Clusters that were to be removed before this replica read its first config.
		// Nothing that is known here refers to them, and they go with the next response,
		// which comes when they would have been removed at the latest.
		p.note(Event{Kind: UnknownOld, TypeURL: s.typeURL, Message: s.claim})
		s.sweep, s.strange = p.since.Add(p.options.RemovalDelay), true
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

// recalls reports whether others are asked for versions of the type: where there is
// an order to keep, or a response removes what it leaves out.
func (p *Proxy) recalls(typeURL string) bool {
	return p.options.Recall && p.options.Aggregated && Recallable(typeURL)
}

// Recallable reports whether a version of the type may be [Proxy.Lost].
func Recallable(typeURL string) bool { return fullState(typeURL) || ordered(typeURL) }

// Lost is a version that a SotW proxy came with and that is not known here: of a
// set of resources, those of the type or of the names among them, or of one.
type Lost struct {
	TypeURL string
	Version cache.Version
	Names   *Names // nil: the proxy asks for all
}

// Lost returns the versions that somebody else may know. Until they are told by a
// new target, or are [Proxy.Vain], or some time has passed, the proxy is not sent
// anything that depends on what it holds. There are none without Options.Recall.
func (p *Proxy) Lost() []Lost {
	var all []Lost
	for _, typeURL := range order {
		s := p.subs[typeURL]
		if s == nil || !s.fresh {
			continue
		}
		for _, version := range s.lost {
			l := Lost{TypeURL: typeURL, Version: version}
			if !s.wildcard {
				l.Names = s.names
			}
			all = append(all, l)
		}
	}
	return all
}

// Vain says that nobody else knows a version either, or that what they told of it is
// in the target by now.
func (p *Proxy) Vain(l Lost) {
	p.giveUp(p.subs[l.TypeURL], l.Version)
}

func (p *Proxy) giveUp(s *subscription, versions ...cache.Version) {
	if s.vain == nil {
		s.vain = map[cache.Version]bool{}
	}
	for _, version := range versions {
		s.vain[version] = true
	}
	p.recognize(s)
}

// recalling reports whether others have still to tell what the proxy holds.
func (p *Proxy) recalling() bool {
	for _, s := range p.subs {
		if s.fresh && len(s.lost) > 0 {
			return true
		}
	}
	return false
}

// endRecall gives up what others have not told in time.
func (p *Proxy) endRecall(now time.Time) {
	for _, typeURL := range order {
		s := p.subs[typeURL]
		for s != nil && s.fresh && len(s.lost) > 0 && p.due(p.since.Add(recallWithin), now) {
			p.giveUp(s, s.lost...)
		}
	}
}

// viewOf returns what a proxy of that version holds, and which versions in it are not
// known. It is not ok if nothing can be said without these.
func (p *Proxy) viewOf(s *subscription, version string) (held view, lost []cache.Version, ok bool) {
	set, more, less, ok := parseVersion(version)
	if !ok {
		return view{}, nil, false
	}
	held.base, ok = p.target.generation(func(g *cache.Snapshot) bool {
		// It may have accepted all resources and ask for fewer now: then it has these.
		return g.Version(s.typeURL) == set || !s.wildcard && s.names.in(g, s.typeURL).version == set
	})
	if !ok {
		return view{}, []cache.Version{set}, false
	}
	var known []cache.Resource
	for _, v := range more {
		if r, ok := p.target.findVersion(s.typeURL, v); !ok {
			lost = append(lost, v)
		} else if s.asks(r.Name()) {
			known = append(known, r)
		}
	}
	for _, v := range less {
		// In its place the proxy has what is lost, if anything; or, of types that need not
		// be whole, what was made for it alone.
		if r, ok := p.target.findVersion(s.typeURL, v); ok && s.asks(r.Name()) {
			held.set(s.typeURL, r.Name(), entry{unknown: !fullState(s.typeURL) || len(lost) > 0})
		}
	}
	for _, r := range known {
		held.set(s.typeURL, r.Name(), entry{resource: r})
	}
	return held, lost, len(lost) == 0 || s.typeURL == resourcev3.ClusterType
}
