package publish

import (
	"time"

	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
)

// Connections that were made before a listener was changed or removed stay on
// its old filter chain until the listener drain ends, and go on using the
// clusters that it named itself. No subscription tells when the last has ended;
// that of a route table does, so tables need none of this.

// replaced is a listener whose new filter chain was accepted and takes over when
// the proxy has its route tables. Until then the old one serves.
type replaced struct {
	clusters map[string]bool // that the old chain names and the new one does not
	awaits   map[string]bool // route tables of the new one
}

// drain works in that the proxy has accepted listeners.
func (p *Proxy) drain(s *subscription, f flight, now time.Time) {
	if s.unknown {
		p.drainAll = now.Add(p.options.ListenerDrain)
	}
	for name, e := range f.before {
		if e.unknown {
			p.drainAll = now.Add(p.options.ListenerDrain)
		}
		next := f.sent[name]
		r := replaced{clusters: map[string]bool{}, awaits: map[string]bool{}}
		if earlier, ok := p.replaced[name]; ok {
			r.clusters = earlier.clusters // its chain has not taken over
		}
		for cluster := range e.resource.Targets(resourcev3.ClusterType) {
			r.clusters[cluster] = true
		}
		for cluster := range next.Targets(resourcev3.ClusterType) {
			delete(r.clusters, cluster)
		}
		for table := range next.Targets(resourcev3.RouteType) {
			if !p.accepted(resourcev3.RouteType, table) {
				r.awaits[table] = true
			}
		}
		p.replaced[name] = r
		p.takeOver(name, now)
	}
}

// tablesAccepted works in that the proxy has accepted route tables.
func (p *Proxy) tablesAccepted(names []string, now time.Time) {
	for listener, r := range p.replaced {
		for _, name := range names {
			delete(r.awaits, name)
		}
		p.takeOver(listener, now)
	}
}

// takeOver starts the drain of a listener that waits for nothing more.
func (p *Proxy) takeOver(listener string, now time.Time) {
	r := p.replaced[listener]
	if len(r.awaits) > 0 {
		return
	}
	delete(p.replaced, listener)
	for cluster := range r.clusters {
		p.draining[cluster] = now.Add(p.options.ListenerDrain)
	}
}

// named reports whether a filter chain that was replaced, and serves for now,
// names a cluster.
func (p *Proxy) named(cluster string) bool {
	for _, r := range p.replaced {
		if r.clusters[cluster] {
			return true
		}
	}
	return false
}

// accepted reports whether the proxy has all that was sent under a name.
func (p *Proxy) accepted(typeURL, name string) bool {
	s := p.subs[typeURL]
	if s == nil || s.fresh || !s.asks(name) || !s.view.entry(typeURL, name).known() {
		return false
	}
	for i := range s.flights {
		if _, ok := s.flights[i].has(s, name); ok {
			return false
		}
	}
	return true
}
