package publish

import (
	"slices"
	"strings"
	"time"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/protobuf/proto"

	"github.com/xdsready/xdsready/pkg/cache"
)

// merge returns the route table r, in which each route that needs a cluster that
// the proxy does not have keeps its old target; one that had none is left out, so
// that its requests go where they went before. It returns false if that cannot be
// done.
func (p *Proxy) merge(s *subscription, h *hold, e entry, r cache.Resource, now time.Time) (cache.Resource, bool) {
	table, ok := r.Message().(*routev3.RouteConfiguration)
	old, known := e.resource.Message().(*routev3.RouteConfiguration)
	clusters := p.subs[resourcev3.ClusterType]
	if s.typeURL != resourcev3.RouteType || !ok || !known || clusters == nil || p.blockedByListener(r) != nil {
		return cache.Resource{}, false
	}
	cold := slices.DeleteFunc(p.coldClusters(clusters), func(name string) bool {
		b := p.blockedBy(clusters, r, name)
		return b.wait == keepAfter && p.due(b.since.Add(keepAfter), now)
	})
	if key := e.resource.Version().String() + r.Version().String() + strings.Join(cold, "\n"); key != h.mergedOf {
		merged, err := cache.NewResource(mergeTables(old, table, cold))
		if err != nil {
			return cache.Resource{}, false
		}
		h.merged, h.mergedOf = merged, key
	}
	merged := h.merged
	if slices.ContainsFunc(cold, func(name string) bool {
		return merged.Refers(resourcev3.ClusterType, name) && !e.resource.Refers(resourcev3.ClusterType, name)
	}) {
		return cache.Resource{}, false // something else than a route names it
	}
	return merged, true
}

func mergeTables(old, table *routev3.RouteConfiguration, cold []string) *routev3.RouteConfiguration {
	merged := proto.Clone(table).(*routev3.RouteConfiguration) //nolint:errcheck // a clone has the type of the original
	for _, host := range merged.GetVirtualHosts() {
		var before []*routev3.Route
		for _, o := range old.GetVirtualHosts() {
			if o.GetName() == host.GetName() {
				before = o.GetRoutes()
			}
		}
		routes := host.GetRoutes()[:0]
		for _, route := range host.GetRoutes() {
			if kept := mergeRoute(before, route, cold); kept != nil {
				routes = append(routes, kept)
			}
		}
		host.Routes = routes
	}
	return merged
}

// mergeRoute returns the route with the old target if its own is cold, and nil
// if there is no old one.
func mergeRoute(before []*routev3.Route, route *routev3.Route, cold []string) *routev3.Route {
	if !usesAny(route.GetRoute(), cold) {
		return route
	}
	i := slices.IndexFunc(before, func(o *routev3.Route) bool {
		return proto.Equal(o.GetMatch(), route.GetMatch()) && o.GetName() == route.GetName()
	})
	if i < 0 {
		return nil
	}
	route.Action = proto.Clone(before[i]).(*routev3.Route).Action //nolint:errcheck // as above
	return route
}

// usesAny reports whether an action sends requests to one of the clusters.
func usesAny(action *routev3.RouteAction, clusters []string) bool {
	if slices.Contains(clusters, action.GetCluster()) {
		return true
	}
	for _, w := range action.GetWeightedClusters().GetClusters() {
		if slices.Contains(clusters, w.GetName()) {
			return true
		}
	}
	for _, m := range action.GetRequestMirrorPolicies() {
		if slices.Contains(clusters, m.GetCluster()) {
			return true
		}
	}
	return false
}
