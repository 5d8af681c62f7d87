package gatewayapi

import (
	"slices"

	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// attach attaches routes to the listeners that they name and that let them, and
// records for each reference what came of it.
//
// Whether a listener is usable plays no part: a route is accepted by the rules
// of attachment alone, and what becomes of the listener is told by the Gateway.
func (a *assembly) attach(routes []*Resolution) {
	a.plan.Routes = make(map[types.NamespacedName][]gatewayv1.RouteParentStatus, len(routes))
	for _, r := range slices.SortedFunc(slices.Values(routes), func(x, y *Resolution) int { return compareRoutes(x.Route, y.Route) }) {
		for _, ref := range r.Route.Object.Spec.ParentRefs {
			if key, ok := r.Route.gateway(ref); ok && key == a.gateway.Key() {
				status := r.parentStatus(ref, a.attachRef(r, ref))
				a.plan.Routes[r.Route.Key()] = append(a.plan.Routes[r.Route.Key()], status)
			}
		}
	}
}

// attachRef attaches a route to the listeners that one parent reference means.
// The fault is that of the last test that no listener passed.
func (a *assembly) attachRef(r *Resolution, ref gatewayv1.ParentReference) fault {
	var named, allowed, matching bool
	for _, s := range a.sites {
		if !s.selects(ref) {
			continue
		}
		named = true
		if !s.allows(r.Route.Object.Namespace, a.world) {
			continue
		}
		allowed = true
		hosts := s.hosts(r.Route.hostnames)
		if len(hosts) == 0 {
			continue
		}
		matching = true
		if r.Route.fault.none() {
			s.serve(r, hosts)
		}
	}
	switch {
	case !named:
		return faultf(gatewayv1.RouteReasonNoMatchingParent, "the Gateway has no listener of this sectionName and port")
	case !allowed:
		return faultf(gatewayv1.RouteReasonNotAllowedByListeners, "no listener takes HTTPRoutes from namespace %s", r.Route.Object.Namespace)
	case !matching:
		return faultf(gatewayv1.RouteReasonNoMatchingListenerHostname, "no listener has a hostname that one of the route's is within, or covers")
	default:
		return r.Route.fault
	}
}

// serve attaches a route, once: two references may mean the same listener.
func (s *site) serve(r *Resolution, hosts []host) {
	if !slices.ContainsFunc(s.routes, func(a attachment) bool { return a.Resolution == r }) {
		s.routes = append(s.routes, attachment{Resolution: r, hosts: hosts})
	}
}
