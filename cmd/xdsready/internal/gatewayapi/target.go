package gatewayapi

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// refusedCluster is the cluster of requests whose backendRef must not be
// followed. No cluster has this name, because those of Services have two
// slashes, so Envoy answers 500.
const refusedCluster = "xdsready/refused"

// absentCluster names a cluster that cannot exist as well, and tells people what is
// missing: the reference dangles, and is shown as such.
func absentCluster(service types.NamespacedName, port int32) string {
	return "xdsready/absent/" + clusterName(service, port)
}

// target is where the share of one backendRef goes.
type target struct {
	cluster string
	weight  uint32
	backend *Backend // nil if there is no such port
	absent  []Absence
	fault   fault
}

// resolveRef looks up one backendRef. Whatever it finds, the share stays the
// same: what does not go to a backend is answered 500.
//
// What is missing is not named by the cluster that it would have, though no such
// cluster exists: when a Service goes, its routes have to switch away from it, or
// a proxy would keep the cluster for as long as a route names it, with addresses
// that may be those of other pods by then. Nor is what is not permitted: the
// Service may be there for another route.
func (r *Route) resolveRef(ref gatewayv1.HTTPBackendRef, w World) target {
	t := target{cluster: refusedCluster, weight: uint32(max(0, valueOr(ref.Weight, 1)))}
	if !isService(ref.BackendRef) {
		t.fault = faultf(gatewayv1.RouteReasonInvalidKind, "%s %s: a backend is a Service",
			groupKind(valueOr(ref.Group, ""), valueOr(ref.Kind, "Service")), ref.Name)
		return t
	}
	if t.fault = extension(ref.Filters); !t.fault.none() {
		return t
	}
	key := r.service(ref.BackendRef)
	if ref.Port == nil {
		t.fault = faultf(gatewayv1.RouteReasonBackendNotFound, "Service %s: the reference has no port", key)
		return t
	}
	if link := toService(r.Object.Namespace, key); !link.permitted(w) {
		t.fault = link.refused()
		t.absent = append(t.absent, Absence{Kind: AbsentReferenceGrant, Object: key, From: r.Object.Namespace})
		return t
	}
	t.cluster = absentCluster(key, *ref.Port)
	service := w.Service(key)
	if service == nil {
		t.fault = faultf(gatewayv1.RouteReasonBackendNotFound, "Service %s does not exist", key)
		t.absent = append(t.absent, Absence{Kind: AbsentService, Object: key})
		return t
	}
	b := Backend{Service: service, Port: *ref.Port}
	if !b.Exists() {
		t.fault = faultf(gatewayv1.RouteReasonBackendNotFound, "Service %s has no TCP port %d: %s", key, b.Port, b.ports())
		t.absent = append(t.absent, Absence{Kind: AbsentPort, Object: key, Port: b.Port})
		return t
	}
	t.setBackend(b)
	if t.backend != nil && needsSlices(service) && len(w.EndpointSlices(key)) == 0 {
		t.absent = append(t.absent, Absence{Kind: AbsentEndpointSlices, Object: key})
	}
	return t
}

// setBackend judges a port that exists.
func (t *target) setBackend(b Backend) {
	if protocol := b.appProtocol(); protocol == appProtocolHTTPS || protocol == appProtocolWSS {
		t.cluster = refusedCluster
		t.fault = faultf(gatewayv1.RouteReasonUnsupportedProtocol, "Service %s/%s: appProtocol %s of port %d needs TLS to the backend",
			b.Service.Namespace, b.Service.Name, protocol, b.Port)
		return
	}
	if b.External() {
		if err := checkExternalName(b.Service.Spec.ExternalName); err != nil {
			t.cluster = refusedCluster
			t.fault = faultf(reasonInvalidExternalName, "Service %s/%s: externalName %v", b.Service.Namespace, b.Service.Name, err)
			return
		}
	}
	t.cluster, t.backend = b.Name(), &b
}

// reasonInvalidExternalName is a reason of our own: the Gateway API has none.
const reasonInvalidExternalName gatewayv1.RouteConditionReason = "InvalidExternalName"

// needsSlices reports whether a Service without EndpointSlices is unusual: one
// is made, be it empty, for every selector, and a headless Service has no
// address but those in slices.
func needsSlices(service *corev1.Service) bool {
	return service.Spec.Type != corev1.ServiceTypeExternalName &&
		(len(service.Spec.Selector) > 0 || service.Spec.ClusterIP == corev1.ClusterIPNone)
}
