package gatewayapi

import (
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"
)

// World is what a translation looks up while it runs: what Gateways and
// HTTPRoutes refer to. It is read after them, so that whatever existed before a
// reference to it was made is seen. What is absent is nil.
type World interface {
	Namespace(name string) *corev1.Namespace
	ReferenceGrants(namespace string) []*gatewayv1beta1.ReferenceGrant
	Service(key types.NamespacedName) *corev1.Service
	EndpointSlices(service types.NamespacedName) []*discoveryv1.EndpointSlice
	// Secret knows secrets of type kubernetes.io/tls only.
	Secret(key types.NamespacedName) *corev1.Secret
}
