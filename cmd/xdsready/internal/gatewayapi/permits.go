package gatewayapi

import (
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"
)

// Permits reports whether one of the grants, which are those of the namespace of
// the Service, permits what the absence says is not permitted.
func Permits(grants []gatewayv1beta1.ReferenceGrant, a Absence) bool {
	r := reference{fromKind: "HTTPRoute", fromNamespace: a.From, toKind: "Service", to: a.Object}
	return slices.ContainsFunc(grants, func(g gatewayv1beta1.ReferenceGrant) bool { return r.grantedBy(g.Spec) })
}

func (r reference) grantedBy(grant gatewayv1.ReferenceGrantSpec) bool {
	return slices.ContainsFunc(grant.From, r.isFrom) && slices.ContainsFunc(grant.To, r.isTo)
}
