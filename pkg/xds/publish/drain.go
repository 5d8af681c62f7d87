package publish

import (
	"iter"
	"maps"
	"slices"
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
		p.drainEverything(now)
	}
	for _, e := range f.maybe {
		p.drainClusters(e.resource.Targets(resourcev3.ClusterType), now)
	}
	for name, e := range f.before {
		if e.unknown {
			p.drainEverything(now)
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

// drainEverything notes that a listener was replaced that may have named any
// cluster.
func (p *Proxy) drainEverything(now time.Time) {
	if until := now.Add(p.options.ListenerDrain); until.After(p.drainAll) {
		p.drainAll = until
	}
}

// drainEarlier notes the clusters of listeners that may have been replaced on an
// earlier stream, as far as the snapshots that are remembered tell. (To take any
// cluster that is not known for such a one would keep every cluster that was
// deleted while the control plane restarted.)
func (p *Proxy) drainEarlier(now time.Time) {
	p.drainClusters(slices.Values(p.target.listened()), now)
}

// tablesAccepted works in that the proxy has accepted route tables.
func (p *Proxy) tablesAccepted(s *subscription, f flight, now time.Time) {
	for _, name := range f.names(s) {
		if !p.accepted(s.typeURL, name) {
			continue
		}
		if p.resumed && f.before[name].absent() {
			p.drainEarlier(now) // its listener was replaced on an earlier stream
		}
		for _, r := range p.replaced {
			delete(r.awaits, name)
		}
	}
	for listener := range p.replaced {
		p.takeOver(listener, now)
	}
}

// lacksTable reports whether a listener waits for a route table.
func (p *Proxy) lacksTable() bool {
	listeners := p.subs[resourcev3.ListenerType]
	if listeners == nil {
		return false
	}
	for _, l := range p.target.snapshot.Resources(listeners.typeURL) {
		for table := range l.Targets(resourcev3.RouteType) {
			if listeners.asks(l.Name()) && !p.accepted(resourcev3.RouteType, table) {
				return true
			}
		}
	}
	return false
}

// takeOver starts the drain of a listener that waits for nothing more.
func (p *Proxy) takeOver(listener string, now time.Time) {
	r := p.replaced[listener]
	if len(r.awaits) > 0 {
		return
	}
	delete(p.replaced, listener)
	p.drainClusters(maps.Keys(r.clusters), now)
}

func (p *Proxy) drainClusters(names iter.Seq[string], now time.Time) {
	for name := range names {
		p.draining[name] = now.Add(p.options.ListenerDrain)
	}
}

// draws reports whether a filter chain that was replaced may still send requests
// to a cluster.
func (p *Proxy) draws(cluster string, now time.Time) bool {
	if p.resumed && p.lacksTable() {
		return true // it may have been replaced on an earlier stream
	}
	for _, r := range p.replaced {
		if r.clusters[cluster] {
			return true
		}
	}
	return !p.due(p.drainAll, now) || !p.due(p.draining[cluster], now)
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
