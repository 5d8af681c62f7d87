package publish

import (
	"maps"
	"slices"
	"time"

	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"

	"github.com/xdsready/xdsready/pkg/cache"
)

// change is what one response does to a proxy.
type change struct {
	send   []cache.Resource
	remove []string // no longer held
	absent []string // asked for, and there is none
	part   bool     // these are suspects
}

func (c change) empty() bool { return len(c.send)+len(c.remove)+len(c.absent) == 0 }

// change returns what may be sent of a type now.
func (p *Proxy) change(s *subscription, now time.Time) change {
	if p.listening(s, now) || p.sparesOld(s, now) {
		return change{}
	}
	var c change
	if !s.sweep.IsZero() && p.due(s.sweep, now) {
		c.absent = append(c.absent, "") // a response of all clusters has not what it leaves out
	}
	p.missing(s, &c)
	p.resend(s, &c, now)
	names := slices.DeleteFunc(s.view.names(), s.isSuspect)
	for _, name := range names {
		p.considerSwitch(s, name, &c, now)
	}
	p.reached = nil
	for _, name := range names {
		p.considerRemoval(s, name, &c, now)
	}
	if !c.empty() {
		return c
	}
	return p.part(s, now)
}

// listening reports whether the rest of a resumed proxy's subscriptions is still
// to be heard before something is changed that depends on them.
func (p *Proxy) listening(s *subscription, now time.Time) bool {
	return p.options.Aggregated && p.resumed && (ordered(s.typeURL) || s.typeURL == resourcev3.ClusterType) &&
		len(s.view.except) > 0 && !p.due(p.since.Add(listen), now)
}

// sparesOld reports whether clusters that are not known here, and that the next
// response takes away, may still be used by routes that are not known either. These
// go first, unless they wait for a new cluster.
func (p *Proxy) sparesOld(s *subscription, now time.Time) bool {
	if s.sweep.IsZero() || p.due(p.since.Add(time.Second), now) {
		return false
	}
	for typeURL, other := range p.subs {
		if ordered(typeURL) && other.fresh && other.unknown {
			return true
		}
	}
	return false
}

// missing tells of the names that were asked for and do not exist. To be told
// ends a wait of 15 s, in SotW by nothing else than a resource. A missing
// route table is an empty one, for its removal would make a listener wait for ever.
// Missing endpoints are those that were there last: of a cluster that was replaced
// before the proxy asked for them, and whose warming holds up all others.
func (p *Proxy) missing(s *subscription, c *change) {
	for _, name := range s.missing {
		if _, ok := p.target.resource(s.typeURL, name); ok || !s.asks(name) {
			continue
		}
		switch {
		case s.typeURL == resourcev3.RouteType:
			c.send = append(c.send, emptyRoutes(name))
		case p.options.Delta || s.wildcard && fullState(s.typeURL):
			c.absent = append(c.absent, name)
		case s.typeURL == resourcev3.EndpointType:
			if last, known := p.target.last(s.typeURL, name); known {
				c.send = append(c.send, last)
			}
		}
	}
	s.missing = nil
}

// resend adds what has to be sent again although the proxy holds it.
func (p *Proxy) resend(s *subscription, c *change, now time.Time) {
	for _, name := range slices.Sorted(maps.Keys(s.force)) {
		r, ok := p.target.resource(s.typeURL, name)
		if _, differs := s.view.except[name]; differs {
			r, ok = s.repeat(name)
		}
		if ok && s.asks(name) && p.offers(s, r, now) {
			c.send = append(c.send, r)
		}
	}
	s.force = nil
}

// part returns the next part of a rejected response, alone and after the answer
// to the one before.
func (p *Proxy) part(s *subscription, now time.Time) change {
	for len(s.suspects) > 0 && !slices.ContainsFunc(s.flights, func(f flight) bool { return f.part }) {
		c := change{part: true}
		for _, name := range s.suspects[0] {
			if _, ok := s.view.except[name]; ok {
				p.considerSwitch(s, name, &c, now)
			}
		}
		if !c.empty() {
			return c
		}
		s.suspects = s.suspects[1:]
	}
	return change{}
}

// considerSwitch adds what the target has under a name and the proxy does not
// hold, if it may go now.
func (p *Proxy) considerSwitch(s *subscription, name string, c *change, now time.Time) {
	r, ok := p.target.resource(s.typeURL, name)
	if !ok || s.keeps(name) || !p.offers(s, r, now) {
		return
	}
	// What goes may be a merged table, which may have been rejected itself.
	if r, ok := p.switchTo(s, s.view.except[name], r, now); ok && p.offers(s, r, now) {
		c.send = append(c.send, r)
	}
}

// considerRemoval adds a name that the target has not and the proxy holds, if it
// may go now.
func (p *Proxy) considerRemoval(s *subscription, name string, c *change, now time.Time) {
	if _, ok := p.target.resource(s.typeURL, name); ok {
		return
	}
	kept := s.keeps(name) || p.awaitsRest(now) // its use may end meanwhile
	if p.mayRemove(s, name, now) && !kept {
		c.remove = append(c.remove, name)
	}
}

// switchTo returns what may be sent now of r, which the proxy does not hold: r,
// or nothing, or a route table that is r but for the routes that are not ready.
func (p *Proxy) switchTo(s *subscription, e entry, r cache.Resource, now time.Time) (cache.Resource, bool) {
	if !p.waits(s, e, r) {
		return r, true
	}
	block := p.blocked(s, e, r)
	if block == nil {
		delete(s.holds, r.Name())
		return r, true
	}
	h := s.hold(r.Name(), now)
	h.block = block
	if block.certain || p.due(h.since.Add(keepAfter), now) {
		p.noteDeadline(s, h, block)
		merged, ok := p.merge(s, h, e, r, now)
		if ok && !e.is(merged, true) {
			return merged, true
		}
		if !block.certain && p.due(h.end(s, e, block), now) {
			delete(s.holds, r.Name())
			return r, true
		}
	}
	return cache.Resource{}, false
}

// waits reports whether r may have to wait for something. What replaces nothing
// does not, except for a listener, which would take traffic before its clusters
// can, and a route table, which may be what a listener waits for that replaces
// another.
func (p *Proxy) waits(s *subscription, e entry, r cache.Resource) bool {
	switch s.typeURL {
	case resourcev3.ListenerType, resourcev3.RouteType:
		return p.options.Aggregated
	case resourcev3.ClusterType:
		return p.options.Aggregated && !e.absent() && compound(r)
	}
	return p.options.Aggregated && !e.absent() && ordered(s.typeURL)
}

// hold is a switch that waits.
type hold struct {
	since time.Time
	block *block // what it waits for
	noted bool   // its deadline was told

	merged   cache.Resource // what merge made last
	mergedOf string         // of which table and cold clusters
}

// end returns when the switch does not wait longer.
func (h *hold) end(s *subscription, e entry, b *block) time.Time {
	wait := b.wait
	if e.absent() && s.typeURL == resourcev3.ListenerType {
		wait = keepAfter // what needs other clusters is to be served
	}
	if b.since.After(h.since) {
		return b.since.Add(wait)
	}
	return h.since.Add(wait)
}

func (s *subscription) hold(name string, now time.Time) *hold {
	h := s.holds[name]
	if h == nil {
		h = &hold{since: now}
		if s.holds == nil {
			s.holds = map[string]*hold{}
		}
		s.holds[name] = h
	}
	return h
}

func (p *Proxy) noteDeadline(s *subscription, h *hold, b *block) {
	if !h.noted {
		h.noted = true
		p.note(Event{Kind: DeadlinePassed, TypeURL: s.typeURL, Names: []string{b.waiter}, Cause: b.cause, Message: b.on})
	}
}
