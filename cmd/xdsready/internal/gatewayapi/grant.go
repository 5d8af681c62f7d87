package gatewayapi

import (
	"slices"

	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"
)

// reference is a reference by name from an object in one namespace to an object
// of the core group, perhaps in another.
type reference struct {
	fromKind      gatewayv1.Kind // of the group of the Gateway API
	fromNamespace string
	toKind        gatewayv1.Kind
	to            types.NamespacedName
}

// toService and toSecret are the two kinds of reference that exist here.
func toService(fromNamespace string, to types.NamespacedName) reference {
	return reference{fromKind: "HTTPRoute", fromNamespace: fromNamespace, toKind: "Service", to: to}
}

func toSecret(fromNamespace string, to types.NamespacedName) reference {
	return reference{fromKind: "Gateway", fromNamespace: fromNamespace, toKind: "Secret", to: to}
}

// Permits reports whether one of the grants, which are those of the namespace of
// the object, permits what the absence says is not permitted.
func Permits(grants []gatewayv1beta1.ReferenceGrant, a Absence) bool {
	r := toService(a.From, a.Object)
	return slices.ContainsFunc(grants, func(g gatewayv1beta1.ReferenceGrant) bool { return r.grantedBy(g.Spec) })
}

// permitted reports whether the reference stays in its namespace or is granted
// by the namespace that it leads to.
func (r reference) permitted(w World) bool {
	return r.fromNamespace == r.to.Namespace ||
		slices.ContainsFunc(w.ReferenceGrants(r.to.Namespace), func(g *gatewayv1beta1.ReferenceGrant) bool { return r.grantedBy(g.Spec) })
}

func (r reference) grantedBy(grant gatewayv1.ReferenceGrantSpec) bool {
	return slices.ContainsFunc(grant.From, r.isFrom) && slices.ContainsFunc(grant.To, r.isTo)
}

func (r reference) isFrom(from gatewayv1.ReferenceGrantFrom) bool {
	return from.Group == gatewayv1.GroupName && from.Kind == r.fromKind && string(from.Namespace) == r.fromNamespace
}

func (r reference) isTo(to gatewayv1.ReferenceGrantTo) bool {
	return to.Group == "" && to.Kind == r.toKind && (to.Name == nil || *to.Name == "" || string(*to.Name) == r.to.Name)
}

// refused says that the reference is not permitted, and what would permit it.
func (r reference) refused() fault {
	return faultf(gatewayv1.RouteReasonRefNotPermitted,
		"no ReferenceGrant in namespace %s lets %ss of namespace %s refer to %s %s",
		r.to.Namespace, r.fromKind, r.fromNamespace, r.toKind, r.to)
}
