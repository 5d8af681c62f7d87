package gatewayapi

import (
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// reference is a reference by name from an object in one namespace to an object
// of the core group, perhaps in another.
type reference struct {
	fromKind      gatewayv1.Kind // of the group of the Gateway API
	fromNamespace string
	toKind        gatewayv1.Kind
	to            types.NamespacedName
}

// permitted reports whether the reference stays in its namespace or is granted
// by the namespace that it leads to.
func (r reference) permitted(w World) bool {
	if r.fromNamespace == r.to.Namespace {
		return true
	}
	for _, grant := range w.ReferenceGrants(r.to.Namespace) {
		if r.grantedBy(grant.Spec) {
			return true
		}
	}
	return false
}

func (r reference) isFrom(from gatewayv1.ReferenceGrantFrom) bool {
	return from.Group == gatewayv1.GroupName && from.Kind == r.fromKind && string(from.Namespace) == r.fromNamespace
}

func (r reference) isTo(to gatewayv1.ReferenceGrantTo) bool {
	return to.Group == "" && to.Kind == r.toKind && (to.Name == nil || *to.Name == "" || string(*to.Name) == r.to.Name)
}

// refused says that the reference is not permitted, and what would permit it.
func (r reference) refused() (fault, Absence) {
	return faultf(gatewayv1.RouteReasonRefNotPermitted,
			"no ReferenceGrant in namespace %s lets a %s of namespace %s refer to %s %s",
			r.to.Namespace, r.fromKind, r.fromNamespace, r.toKind, r.to),
		Absence{Kind: AbsentReferenceGrant, Object: r.to, From: r.fromNamespace}
}
