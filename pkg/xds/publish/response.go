package publish

import (
	"slices"
	"strconv"
	"time"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"

	"github.com/xdsready/xdsready/pkg/cache"
)

// Response is what to send.
type Response struct {
	TypeURL    string
	Nonce      string
	Version    string           // of what the proxy then holds of the type
	Whole      bool             // all resources of the target of the type, which are encoded once for all proxies
	Resources  []cache.Resource // and these
	Heartbeats []cache.Resource // only that they are alive
	Removed    []string         // delta: names that there are none of
	Greeting   bool             // it is empty and only shows that the stream works
}

// fullState reports whether a SotW response of the type says all there is: what
// it leaves out is removed. Of other types it may have only what changed.
func fullState(typeURL string) bool {
	switch typeURL {
	case resourcev3.ClusterType, resourcev3.ListenerType, resourcev3.ScopedRouteType:
		return true
	}
	return false
}

// first returns the first response of a type to a proxy of whose config nothing
// is known: all that it asks for.
func (p *Proxy) first(s *subscription, now time.Time) (Response, bool) {
	if s.unknown && p.awaits(s, now) {
		return Response{}, false
	}
	if s.unknown && (fullState(s.typeURL) || ordered(s.typeURL)) {
		p.note(Event{Kind: UnknownVersion, TypeURL: s.typeURL, Message: s.claim})
	}
	s.fresh = false
	s.view = view{base: p.target.snapshot}
	if s.typeURL == resourcev3.RouteType && !s.unknown && !s.wildcard && !p.firstLoad() && p.anyBlocked(s) {
		p.ask(s, s.names.All())
		return p.next(s, now)
	}
	f := flight{nonce: p.nonce + 1, whole: p.target.snapshot, before: map[string]entry{}, sent: map[string]cache.Resource{}}
	if !s.wildcard {
		f.of = s.names
	}
	var c change
	if !s.unknown && !s.names.in(p.target.snapshot, s.typeURL).complete {
		s.missing = s.names.All()
		p.missing(s, &c)
	}
	for _, placeholder := range c.send {
		f.before[placeholder.Name()], f.sent[placeholder.Name()] = entry{}, placeholder
		s.view.set(s.typeURL, placeholder.Name(), entry{resource: placeholder, made: true})
	}
	r := p.response(s, c.absent)
	p.fill(s, &r)
	f.version = r.Version
	s.flights = append(s.flights, f)
	p.noteFirst(s)
	s.spoken = now
	return r, true
}

// firstLoad reports whether the proxy came with nothing and has not acknowledged
// its first clusters. It serves nothing, so there is no order to keep.
func (p *Proxy) firstLoad() bool {
	return !p.resumed && (p.allCold != 0 || p.subs[resourcev3.ClusterType] == nil)
}

// anyBlocked reports whether a route table that the proxy asks for has to wait.
func (p *Proxy) anyBlocked(s *subscription) bool {
	return p.options.Aggregated && slices.ContainsFunc(s.names.All(), func(name string) bool {
		r, ok := p.target.resource(s.typeURL, name)
		return ok && p.blocked(s, entry{}, r) != nil
	})
}

// awaits reports whether the first response to a proxy that holds unknown config
// has to wait for what other types tell or do.
func (p *Proxy) awaits(s *subscription, now time.Time) bool {
	if !p.options.Aggregated {
		return false
	}
	// Whoever knows the clusters does not lag. A proxy that asks for them has none that
	// warms, so none that needs endpoints or secrets now.
	c := p.subs[resourcev3.ClusterType]
	if s.mayBeKnown() && c != nil && c.mayBeKnown() && !p.due(p.since.Add(catchUp), now) {
		return true
	}
	clusters := s.typeURL == resourcev3.ClusterType
	if !clusters && !ordered(s.typeURL) {
		return false
	}
	if !p.due(p.since.Add(listen), now) || p.recalling() {
		return true
	}
	if !clusters {
		return p.awaitsWarm(s, now)
	}
	return p.routesFirst(s) && !p.due(s.hold("", now).since.Add(keepAfter), now)
}

// noteFirst notes what a first response means for other types.
func (p *Proxy) noteFirst(s *subscription) {
	switch s.typeURL {
	case resourcev3.ClusterType:
		clear(s.holds)
		if s.wildcard && p.options.Aggregated {
			p.allCold = p.nonce
			for _, r := range p.target.snapshot.Resources(s.typeURL) {
				p.resendEndpoints(r)
			}
		}
	case resourcev3.EndpointType:
		for _, w := range p.cold {
			if _, ok := p.target.resource(s.typeURL, w.endpoints); ok && s.asks(w.endpoints) {
				p.endpointsSent(w.endpoints, p.nonce)
			}
		}
	}
}

// routesFirst reports whether the route tables can go before the clusters: to a
// SotW proxy whose clusters are unknown, and to which a CDS response therefore
// says what it may no longer have. The endpoints that it asks for show that it
// has all the clusters that its route tables, and its listeners, are to name.
func (p *Proxy) routesFirst(clusters *subscription) bool {
	routes, endpoints := p.subs[resourcev3.RouteType], p.subs[resourcev3.EndpointType]
	if p.options.Delta || !clusters.wildcard || routes == nil || endpoints == nil {
		return false
	}
	if !routes.fresh && len(routes.view.except) == 0 && len(routes.flights) == 0 {
		return false // they have gone
	}
	for _, typeURL := range OrderedTypes() {
		if s := p.subs[typeURL]; s != nil && !p.hasClusters(s, endpoints) {
			return false
		}
	}
	return true
}

// hasClusters reports whether the endpoints that the proxy asks for show that it has
// all clusters that what it is to hold of a type names.
func (p *Proxy) hasClusters(s, endpoints *subscription) bool {
	for _, r := range p.target.snapshot.Resources(s.typeURL) {
		if !s.asks(r.Name()) {
			continue
		}
		for name := range r.Targets(resourcev3.ClusterType) {
			cluster, _ := p.target.resource(resourcev3.ClusterType, name)
			if !asksForEndpoints(endpoints, cluster) {
				return false
			}
		}
	}
	return true
}

// asksForEndpoints reports whether the proxy asks for endpoints of the cluster's own
// name. Those of a service_name may be for another cluster.
func asksForEndpoints(endpoints *subscription, cluster cache.Resource) bool {
	return cluster.Refers(endpoints.typeURL, cluster.Name()) && endpoints.asks(cluster.Name())
}

// awaitsWarm reports whether a type that names clusters has to wait for them.
func (p *Proxy) awaitsWarm(s *subscription, now time.Time) bool {
	for _, r := range p.target.snapshot.Resources(s.typeURL) {
		if !s.asks(r.Name()) {
			continue
		}
		b := p.blockedByCluster(entry{unknown: true}, r)
		if b == nil {
			continue
		}
		h := s.hold(r.Name(), now)
		h.block = b
		if !b.certain && !p.due(h.since.Add(keepAfter), now) {
			return true
		}
		p.noteDeadline(s, h, b)
	}
	clear(s.holds)
	return false
}

// send makes the response that does c, if it takes one, and notes what the proxy
// holds after it.
func (p *Proxy) send(s *subscription, c change, now time.Time) (Response, bool) {
	f := flight{nonce: p.nonce + 1, before: map[string]entry{}, sent: map[string]cache.Resource{}, part: c.part}
	for _, r := range c.send {
		e := s.view.entry(s.typeURL, r.Name())
		f.before[r.Name()], f.sent[r.Name()] = e, r
		p.noteSent(s, r, f.nonce, now)
		next := entry{resource: r, made: !p.target.has(r)}
		if e.is(r, true) {
			next.made = next.made && e.made // the guard repeats what is held
		}
		s.view.set(s.typeURL, r.Name(), next)
	}
	for _, name := range c.remove {
		f.before[name] = s.view.entry(s.typeURL, name)
		s.view.set(s.typeURL, name, entry{})
		if s.typeURL == resourcev3.ClusterType {
			delete(p.leaving, name)
			delete(p.cold, name)
		}
	}
	full := fullState(s.typeURL)
	if !p.options.Delta && !full && len(c.send) == 0 {
		return Response{}, false // SotW cannot say that one is gone
	}
	s.sweep = time.Time{} // what this leaves out goes
	r := p.response(s, append(c.absent, c.remove...))
	if p.options.Delta || !full {
		r.Resources = c.send
	} else {
		p.fill(s, &r)
	}
	f.version = r.Version
	s.flights = append(s.flights, f)
	return r, true
}

// noteSent notes what sending r means for other types.
func (p *Proxy) noteSent(s *subscription, r cache.Resource, nonce uint64, now time.Time) {
	switch s.typeURL {
	case resourcev3.ClusterType:
		if !p.options.Aggregated || !s.wildcard {
			return
		}
		p.heat(r, nonce, p.serves(s, r.Name()), now)
		p.resendEndpoints(r)
	case resourcev3.EndpointType:
		p.endpointsSent(r.Name(), nonce)
	}
}

// resendEndpoints sends the load assignment of a cluster after it, if the proxy
// asks for that already: for a changed cluster, or a new one that shares it, a
// delta Envoy asks for nothing and waits 15 s.
func (p *Proxy) resendEndpoints(cluster cache.Resource) {
	s := p.subs[resourcev3.EndpointType]
	if s == nil || s.fresh {
		return
	}
	for name := range cluster.Targets(s.typeURL) {
		if s.asks(name) {
			s.resend(name)
		}
	}
}

// resendAll does so for the clusters that a response carried.
func (p *Proxy) resendAll(f flight) {
	for _, r := range f.sent {
		p.resendEndpoints(r)
	}
}

// response returns a response of a type without resources.
func (p *Proxy) response(s *subscription, removed []string) Response {
	s.nonce = p.nextNonce()
	r := Response{TypeURL: s.typeURL, Nonce: strconv.FormatUint(s.nonce, 10), Version: p.versionOf(s)}
	if p.options.Delta {
		r.Removed = removed
	}
	return r
}

// versionOf returns the version of what the proxy holds. A delta proxy resumes by
// the versions of the resources: it is told that of the whole type, which costs
// no look at the names that it asks for.
func (p *Proxy) versionOf(s *subscription) string {
	set := p.target.snapshot.Version(s.typeURL)
	if p.options.Delta {
		return set.String()
	}
	if !s.wildcard {
		set = s.names.in(p.target.snapshot, s.typeURL).version
	}
	return s.view.versionOf(s.typeURL, set)
}

// fill adds to a response all resources that the proxy is to hold.
func (p *Proxy) fill(s *subscription, r *Response) {
	whole := s.wildcard || s.names.in(p.target.snapshot, s.typeURL).whole
	var extra []cache.Resource
	for _, name := range s.view.names() {
		wanted, ok := p.target.resource(s.typeURL, name)
		if ok {
			whole = false
		}
		e := s.view.except[name]
		if _, rejected := s.rejected[name]; ok && rejected && !e.known() && (e.unknown || s.strange) {
			extra = append(extra, wanted) // it would drop what it may have under the name if this were left out
		}
		if e.known() {
			extra = append(extra, e.resource)
			if e.unknown && s.typeURL == resourcev3.ClusterType {
				p.resendEndpoints(e.resource) // it may take that only now
			}
		}
	}
	if whole {
		r.Whole, r.Resources = true, extra
		return
	}
	for _, resource := range p.target.snapshot.Resources(s.typeURL) {
		if _, differs := s.view.except[resource.Name()]; !differs && s.asks(resource.Name()) {
			r.Resources = append(r.Resources, resource)
		}
	}
	r.Resources = append(r.Resources, extra...)
}

// emptyRoutes returns the route table that stands for one that does not exist.
func emptyRoutes(name string) cache.Resource {
	r, err := cache.NewResource(&routev3.RouteConfiguration{Name: name})
	if err != nil {
		return cache.Resource{} // only a table without a name fails, and nobody asks for that
	}
	return r
}
