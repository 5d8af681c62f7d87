package gatewayapi

import (
	"slices"

	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// Route is an HTTPRoute with everything decided that the object alone decides.
// It does not change and is safe for concurrent use.
type Route struct {
	Object *gatewayv1.HTTPRoute

	hostnames []string // none: those of the listener
	rules     []rule
	fault     fault // why no part of it can be used
}

// NewRoute compiles an HTTPRoute. What cannot be used of it is told by the
// status that [Gateway.Assemble] returns.
func NewRoute(object *gatewayv1.HTTPRoute) *Route {
	r := &Route{Object: object}
	for _, hostname := range object.Spec.Hostnames {
		if err := checkHostname(string(hostname)); err != nil {
			r.fault = faultf(gatewayv1.RouteReasonUnsupportedValue, "%v", err)
		}
		r.hostnames = append(r.hostnames, string(hostname))
	}
	for i := range object.Spec.Rules {
		r.rules = append(r.rules, newRule(&object.Spec.Rules[i]))
	}
	if r.fault.none() && !slices.ContainsFunc(r.rules, func(u rule) bool { return u.dropped == "" }) {
		r.fault = faultf(gatewayv1.RouteReasonUnsupportedValue, "No rule can be used: %s", summary(r.droppedRules()))
	}
	return r
}

// ResourceName returns "namespace/name", the name in a krt collection.
func (r *Route) ResourceName() string { return r.Key().String() }

// Key returns the name of the HTTPRoute.
func (r *Route) Key() types.NamespacedName {
	return types.NamespacedName{Namespace: r.Object.Namespace, Name: r.Object.Name}
}

// Equals reports whether o is compiled from the same spec. A change of status
// or labels makes no new generation and nothing here reads either.
func (r *Route) Equals(o *Route) bool {
	return r.Object.UID == o.Object.UID && r.Object.Generation == o.Object.Generation
}

// Gateways returns the Gateways that the route names as parents, without
// duplicates.
func (r *Route) Gateways() []types.NamespacedName {
	var gateways []types.NamespacedName
	for _, ref := range r.Object.Spec.ParentRefs {
		if key, ok := r.gateway(ref); ok && !slices.Contains(gateways, key) {
			gateways = append(gateways, key)
		}
	}
	return gateways
}

// gateway returns the Gateway that a parent reference names, if it names one.
func (r *Route) gateway(ref gatewayv1.ParentReference) (types.NamespacedName, bool) {
	if valueOr(ref.Group, gatewayv1.GroupName) != gatewayv1.GroupName || valueOr(ref.Kind, "Gateway") != "Gateway" {
		return types.NamespacedName{}, false
	}
	return types.NamespacedName{
		Namespace: string(valueOr(ref.Namespace, gatewayv1.Namespace(r.Object.Namespace))),
		Name:      string(ref.Name),
	}, true
}

// Services returns the Services that backendRefs name, without duplicates.
func (r *Route) Services() []types.NamespacedName {
	var services []types.NamespacedName
	seen := make(map[types.NamespacedName]bool)
	for _, u := range r.rules {
		for _, ref := range u.spec.BackendRefs {
			if key := r.service(ref.BackendRef); isService(ref.BackendRef) && !seen[key] {
				seen[key] = true
				services = append(services, key)
			}
		}
	}
	return services
}

// BackendNamespaces returns the namespaces, other than the route's own, that
// backendRefs name: those whose ReferenceGrants matter.
func (r *Route) BackendNamespaces() []string {
	var namespaces []string
	for _, service := range r.Services() {
		if service.Namespace != r.Object.Namespace && !slices.Contains(namespaces, service.Namespace) {
			namespaces = append(namespaces, service.Namespace)
		}
	}
	return namespaces
}

func isService(ref gatewayv1.BackendRef) bool {
	return valueOr(ref.Group, "") == "" && valueOr(ref.Kind, "Service") == "Service"
}

// service returns the name that ref, which has to be to a Service, names.
func (r *Route) service(ref gatewayv1.BackendRef) types.NamespacedName {
	return types.NamespacedName{
		Namespace: string(valueOr(ref.Namespace, gatewayv1.Namespace(r.Object.Namespace))),
		Name:      string(ref.Name),
	}
}
