package gatewayapi

import (
	"slices"

	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// Gateway is a Gateway with its listeners judged: everything that the object
// alone decides. It does not change and is safe for concurrent use.
type Gateway struct {
	Object *gatewayv1.Gateway

	listeners []*listener
	fault     fault // why no listener of it is used
}

// NewGateway judges a Gateway. What cannot be used of it is told by the status
// that [Gateway.Assemble] returns.
func NewGateway(object *gatewayv1.Gateway) *Gateway {
	g := &Gateway{Object: object}
	if infrastructure := object.Spec.Infrastructure; infrastructure != nil && infrastructure.ParametersRef != nil {
		ref := infrastructure.ParametersRef
		g.fault = faultf(gatewayv1.GatewayReasonInvalidParameters, "parametersRef to %s %s: no parameters are supported",
			groupKind(ref.Group, ref.Kind), ref.Name)
	}
	for i := range object.Spec.Listeners {
		g.listeners = append(g.listeners, newListener(object, &object.Spec.Listeners[i]))
	}
	markConflicts(g.listeners)
	return g
}

// ResourceName returns "namespace/name": the name in a krt collection, and of
// the node group.
func (g *Gateway) ResourceName() string { return g.Key().String() }

// Key returns the name of the Gateway.
func (g *Gateway) Key() types.NamespacedName {
	return types.NamespacedName{Namespace: g.Object.Namespace, Name: g.Object.Name}
}

// Equals reports whether o is made from the same spec.
func (g *Gateway) Equals(o *Gateway) bool {
	return g.Object.UID == o.Object.UID && g.Object.Generation == o.Object.Generation
}

// Secrets returns the Secrets that certificateRefs name, without duplicates.
func (g *Gateway) Secrets() []types.NamespacedName {
	var secrets []types.NamespacedName
	for _, l := range g.listeners {
		for _, ref := range l.certificateRefs() {
			if key := g.secret(ref); isSecret(ref) && !slices.Contains(secrets, key) {
				secrets = append(secrets, key)
			}
		}
	}
	return secrets
}

func isSecret(ref gatewayv1.SecretObjectReference) bool {
	return valueOr(ref.Group, "") == "" && valueOr(ref.Kind, "Secret") == "Secret"
}

// secret returns the name that ref, which has to be to a Secret, names.
func (g *Gateway) secret(ref gatewayv1.SecretObjectReference) types.NamespacedName {
	return types.NamespacedName{
		Namespace: string(valueOr(ref.Namespace, gatewayv1.Namespace(g.Object.Namespace))),
		Name:      string(ref.Name),
	}
}
