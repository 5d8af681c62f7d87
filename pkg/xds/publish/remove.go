package publish

import (
	"iter"
	"time"

	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
)

// mayRemove reports whether the proxy may lose what it holds under a name that
// the target has not.
//
// Removal is garbage collection: nothing waits for it. A cluster goes when
//
//	(a) every switch away from it is ACKed,
//	(b) no route table, virtual host or extension config that the proxy asks for,
//	    and no listener that it has, can still choose it, and
//	(c) the removal delay has passed since, for requests that a filter holds after
//	    their route was chosen; and the time that connections live on a listener
//	    that named it itself and was replaced.
//
// Envoy asks for a route table as long as a connection uses it, also after the
// listener names another: that is how (b) is known.
func (p *Proxy) mayRemove(s *subscription, name string, now time.Time) bool {
	switch {
	case !p.options.Aggregated:
		return true
	case s.typeURL == resourcev3.ClusterType:
		return p.mayRemoveCluster(s, name, now)
	case s.typeURL == resourcev3.ListenerType:
		return len(s.holds) == 0 // it may make room for one that waits: both go at once
	case s.typeURL == resourcev3.RouteType:
		return s.wildcard // a name that is asked for is in use
	}
	return !p.needed(s.typeURL, name)
}

func (p *Proxy) mayRemoveCluster(s *subscription, name string, now time.Time) bool {
	if p.reached == nil {
		p.reached = p.reachable(s, now)
	}
	if p.reached[name] {
		delete(p.leaving, name)
		return false
	}
	unused, ok := p.leaving[name]
	if !ok {
		unused = now
		p.leaving[name] = unused
	}
	return p.due(unused.Add(p.options.RemovalDelay), now)
}

// reachable returns the clusters that the proxy may still choose of those that the
// target has not: those that something else names, and of which clusters are made
// that it may choose. One that is not known may be made of any.
func (p *Proxy) reachable(clusters *subscription, now time.Time) map[string]bool {
	reached, held := map[string]bool{}, map[string][]entry{}
	var queue []string
	reach := func(name string) {
		if !reached[name] {
			reached[name] = true
			queue = append(queue, name)
		}
	}
	for name, e := range clusters.held() {
		held[name] = append(held[name], e)
	}
	for name := range held {
		if _, ok := p.target.resource(clusters.typeURL, name); ok || p.draws(name, now) || p.routed(clusters, name) {
			reach(name)
		}
	}
	for ; len(queue) > 0; queue = queue[1:] {
		for _, e := range held[queue[0]] {
			switch {
			case e.known():
				for name := range e.resource.Targets(clusters.typeURL) {
					reach(name)
				}
			case e.unknown:
				for name := range held {
					reach(name)
				}
				return reached
			}
		}
	}
	return reached
}

// routed reports whether something else than a cluster may name it.
func (p *Proxy) routed(clusters *subscription, name string) bool {
	for _, reference := range p.target.dangling[name] {
		if s := p.subs[reference.FromType]; s != nil && s.asks(reference.FromName) {
			return true
		}
	}
	for typeURL, s := range p.subs {
		if typeURL == clusters.typeURL || !ordered(typeURL) {
			continue
		}
		if s.unknown || s.anyHeld(func(e entry) bool { return e.unknown || e.resource.Refers(resourcev3.ClusterType, name) }) {
			return true
		}
	}
	return false
}

// needed reports whether something that the proxy may hold, and the target has
// not, refers to a resource. (What the target has refers to nothing that is
// absent from it, but for what Build names as dangling.)
func (p *Proxy) needed(typeURL, name string) bool {
	for _, s := range p.subs {
		for other, e := range s.held() {
			if e.resource.Refers(typeURL, name) || typeURL != s.typeURL && s.mayNeed(other, e) {
				return true
			}
		}
	}
	return false
}

// anyHeld reports whether what a proxy may hold besides the target has a property.
func (s *subscription) anyHeld(has func(entry) bool) bool {
	for _, e := range s.held() {
		if has(e) {
			return true
		}
	}
	return false
}

// held returns what a proxy may hold besides the target, with the names: also
// what is replaced as soon as it reads the responses that are on their way.
func (s *subscription) held() iter.Seq2[string, entry] {
	return func(yield func(string, entry) bool) {
		for name, e := range s.view.except {
			if !yield(name, e) {
				return
			}
		}
		for i := range s.flights {
			for name, e := range s.flights[i].before {
				if !yield(name, e) {
					return
				}
			}
			for _, e := range s.flights[i].maybe {
				if !yield(e.resource.Name(), e) {
					return
				}
			}
		}
	}
}

// RemovalsPending returns how many clusters wait to be removed.
func (p *Proxy) RemovalsPending() int {
	c := p.subs[resourcev3.ClusterType]
	if c == nil {
		return 0
	}
	n := 0
	for name := range c.view.except {
		if _, ok := p.target.resource(c.typeURL, name); !ok {
			n++
		}
	}
	return n
}
