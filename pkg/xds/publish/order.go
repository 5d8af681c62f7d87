package publish

import (
	"maps"
	"slices"
	"time"

	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"

	"github.com/xdsready/xdsready/pkg/cache"
)

// ordered reports whether resources of the type name clusters that have to be
// warm first. Scoped routes, virtual hosts and extension configs are
// experimental: no test with a real Envoy shows their order yet.
func ordered(typeURL string) bool { return slices.Contains(OrderedTypes(), typeURL) }

// OrderedTypes returns the type URLs whose switches may have to wait.
func OrderedTypes() []string {
	return []string{
		resourcev3.ListenerType, resourcev3.RouteType, resourcev3.ScopedRouteType,
		resourcev3.VirtualHostType, resourcev3.ExtensionConfigType,
	}
}

// block is what a switch waits for.
type block struct {
	waiter  string // the name of what waits
	on      string // the name of what it waits for
	cause   Cause
	certain bool // waiting does not help: it was rejected

	since time.Time     // when it was sent; zero: it counts since the switch waits
	wait  time.Duration // how long the switch waits for it at most
}

// longer returns which of two blocks ends later.
func longer(a, b *block) *block {
	if b == nil {
		return a
	}
	if a == nil || !a.certain && (b.certain || b.since.Add(b.wait).After(a.since.Add(a.wait))) {
		return b
	}
	return a
}

// blocked returns what keeps r from replacing e now, nil for nothing.
func (p *Proxy) blocked(s *subscription, e entry, r cache.Resource) *block {
	b := p.blockedByCluster(e, r)
	switch s.typeURL {
	case resourcev3.ListenerType:
		return longer(b, p.blockedByRoutes(s, e, r))
	case resourcev3.RouteType:
		return longer(b, p.blockedByListener(r))
	}
	return b
}

// blockedByCluster returns a cluster that r needs and that is not known warm.
func (p *Proxy) blockedByCluster(e entry, r cache.Resource) *block {
	c := p.subs[resourcev3.ClusterType]
	switch {
	case c == nil && p.awaitsClusters():
		return &block{waiter: r.Name(), cause: NotAsked, wait: switchAfter}
	case c == nil || !c.wildcard:
		return nil // waiting only for what the stream subscribes to
	case c.fresh && p.routesFirst(c):
		return nil
	case c.fresh || p.allCold != 0:
		return &block{waiter: r.Name(), cause: ClusterCold, wait: switchAfter}
	}
	var found *block
	for _, name := range p.coldClusters(c) {
		if !p.needs(r, name) || e.known() && e.resource.Refers(resourcev3.ClusterType, name) && p.serves(c, name) {
			continue
		}
		found = longer(found, p.blockedBy(c, r, name))
	}
	return found
}

// blockedBy returns how r waits for a cold cluster.
func (p *Proxy) blockedBy(c *subscription, r cache.Resource, name string) *block {
	b := &block{waiter: r.Name(), on: name, cause: ClusterCold, wait: switchAfter}
	if w := p.cold[name]; w != nil {
		b.since = w.since
	}
	if p.serves(c, name) {
		b.wait = keepAfter
		return b
	}
	if bad, ok := c.rejected[name]; ok {
		if t, ok := p.target.resource(c.typeURL, name); ok && t.Version() == bad.version {
			b.cause, b.certain = ClusterRejected, true
		}
	}
	return b
}

// awaitsClusters reports whether the proxy, which has not asked for clusters on
// this stream, will: one that reconnects while a cluster warms asks for them only
// when it is warm, and for endpoints at once.
func (p *Proxy) awaitsClusters() bool {
	return p.subs[resourcev3.EndpointType] != nil && len(p.target.snapshot.Resources(resourcev3.ClusterType)) > 0
}

// coldClusters returns the clusters of the target that are not known warm, and
// those that are made of them.
func (p *Proxy) coldClusters(c *subscription) []string {
	var cold []string
	for name := range c.view.except {
		if _, ok := p.target.resource(c.typeURL, name); ok {
			cold = append(cold, name) // not sent yet, or rejected
		}
	}
	for name := range p.cold {
		if _, ok := c.view.except[name]; !ok {
			cold = append(cold, name)
		}
	}
	slices.Sort(cold)
	for i := 0; i < len(cold); i++ {
		for _, r := range p.target.compound {
			if r.Refers(resourcev3.ClusterType, cold[i]) && !slices.Contains(cold, r.Name()) {
				cold = append(cold, r.Name())
			}
		}
	}
	return cold
}

// serves reports whether the proxy has a cluster of that name, though not warm in
// the form that the target has.
func (p *Proxy) serves(c *subscription, name string) bool {
	if w, ok := p.cold[name]; ok {
		return w.replaces
	}
	e := c.view.entry(c.typeURL, name)
	maybe := e.known() && e.unknown
	return p.allCold == 0 && !e.absent() && !maybe
}

// needs reports whether r sends traffic to the cluster: by itself, or by the
// route tables that it names.
func (p *Proxy) needs(r cache.Resource, cluster string) bool {
	if r.Refers(resourcev3.ClusterType, cluster) {
		return true
	}
	for name := range r.Targets(resourcev3.RouteType) {
		if table, ok := p.target.resource(resourcev3.RouteType, name); ok && table.Refers(resourcev3.ClusterType, cluster) {
			return true
		}
	}
	return false
}

// blockedByRoutes makes a listener wait for route tables that go first: one that
// it takes up and that the proxy has with other content, and one that configures
// an HTTP filter that it loses.
func (p *Proxy) blockedByRoutes(s *subscription, e entry, r cache.Resource) *block {
	routes := p.subs[resourcev3.RouteType]
	if routes == nil {
		return nil
	}
	unsettled := routes.unsettled()
	for name := range r.Targets(routes.typeURL) {
		next, ok := p.target.resource(routes.typeURL, name)
		if ok && unsettled[name] && routes.asks(name) && !e.resource.Refers(routes.typeURL, name) && !p.goesBefore(s, r.Name(), next) {
			return &block{waiter: r.Name(), on: name, cause: OtherSide, wait: switchAfter}
		}
	}
	gone := without(e.resource.HTTPFilters(), r.HTTPFilters())
	if len(gone) == 0 {
		return nil
	}
	for name := range e.resource.Targets(resourcev3.RouteType) {
		next, ok := p.target.resource(routes.typeURL, name)
		if ok && overlap(gone, next.FilterOverrides()) {
			continue // it keeps the config, so nothing is won by going first
		}
		for _, held := range routes.maybeHeld(name) {
			if routes.asks(name) && ok && overlap(gone, held.FilterOverrides()) {
				return &block{waiter: r.Name(), on: name, cause: OtherSide, wait: switchAfter}
			}
		}
	}
	return nil
}

// blockedByListener makes a route table wait for the listeners that go first.
func (p *Proxy) blockedByListener(r cache.Resource) *block {
	listeners := p.subs[resourcev3.ListenerType]
	if listeners == nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(listeners.unsettled())) {
		if !p.goesBefore(listeners, name, r) {
			continue
		}
		b := &block{waiter: r.Name(), on: name, cause: OtherSide, wait: switchAfter}
		if h := listeners.holds[name]; h != nil { // not before the listener's own wait ends
			b.since = h.since
			if h.block.since.After(h.since) {
				b.since = h.block.since
			}
		}
		return b
	}
	return nil
}

// goesBefore reports whether a listener goes before a route table that it has: if
// it leaves the table, which is to serve as before until then, or brings an HTTP
// filter that the table configures.
func (p *Proxy) goesBefore(listeners *subscription, name string, table cache.Resource) bool {
	next, ok := p.target.resource(listeners.typeURL, name)
	if !ok || !listeners.asks(name) {
		return false
	}
	leaves := !next.Refers(resourcev3.RouteType, table.Name())
	return slices.ContainsFunc(listeners.maybeHeld(name), func(held cache.Resource) bool {
		return held.Refers(resourcev3.RouteType, table.Name()) &&
			(leaves || overlap(without(next.HTTPFilters(), held.HTTPFilters()), table.FilterOverrides()))
	})
}

// unsettled returns the names under which the proxy does not hold what the
// target has, or has not said so.
func (s *subscription) unsettled() map[string]bool {
	names := map[string]bool{}
	for name := range s.view.except {
		if !s.keeps(name) {
			names[name] = true
		}
	}
	for i := range s.flights {
		for name := range s.flights[i].before {
			names[name] = true
		}
	}
	return names
}

// maybeHeld returns what the proxy may hold under a name: what was sent last,
// and what that replaces as long as it is not answered.
func (s *subscription) maybeHeld(name string) []cache.Resource {
	held := []cache.Resource{s.view.entry(s.typeURL, name).resource}
	for i := range s.flights {
		if before, ok := s.flights[i].before[name]; ok {
			held = append(held, before.resource)
		}
	}
	return held
}

func without(names, gone []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(gone, name) })
}

func overlap(a, b []string) bool {
	return slices.ContainsFunc(a, func(name string) bool { return slices.Contains(b, name) })
}

func (b *block) String() string {
	switch b.cause {
	case ClusterCold:
		if b.on == "" {
			return "the proxy has not said that its clusters are warm"
		}
		return "cluster " + b.on + " is not known warm"
	case ClusterRejected:
		return "cluster " + b.on + " was rejected"
	case NotAsked:
		return "the proxy has not asked for clusters"
	}
	return b.on + " has to go first"
}
