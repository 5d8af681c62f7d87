package kubernetes

import (
	"istio.io/istio/pkg/kube/krt"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/gatewayapi"
)

// collections are what krt derives from the inputs, and the indexes over them.
//
// Only referrers are derived. A derived collection lags behind its inputs, and
// a route that is seen late is harmless; a Service that is seen later than the
// route to it would be missing. So referents are read from the inputs themselves
// (world), after the referrers.
type collections struct {
	gateways krt.Collection[*gatewayapi.Gateway] // those of our GatewayClasses
	routes   krt.Collection[*gatewayapi.Route]

	grants krt.Index[string, *gatewayv1beta1.ReferenceGrant]           // by namespace
	slices krt.Index[types.NamespacedName, *discoveryv1.EndpointSlice] // by Service
}

func newCollections(in *inputs, controller gatewayv1.GatewayController, options krt.OptionsBuilder) collections {
	return collections{
		gateways: krt.NewCollection(in.gateways.objects, func(ctx krt.HandlerContext, g *gatewayv1.Gateway) **gatewayapi.Gateway {
			class := krt.FetchOne(ctx, in.classes.objects, krt.FilterKey(string(g.Spec.GatewayClassName)))
			if class == nil || (*class).Spec.ControllerName != controller {
				return nil
			}
			ours := gatewayapi.NewGateway(g)
			return &ours
		}, options.WithName("accepted-gateways")...),
		routes: krt.NewCollection(in.routes.objects, func(_ krt.HandlerContext, r *gatewayv1.HTTPRoute) **gatewayapi.Route {
			route := gatewayapi.NewRoute(r)
			return &route
		}, options.WithName("compiled-routes")...),
		grants: krt.NewIndex(in.grants.objects, "namespace", func(g *gatewayv1beta1.ReferenceGrant) []string {
			return []string{g.Namespace}
		}),
		slices: krt.NewIndex(in.slices.objects, "service", func(s *discoveryv1.EndpointSlice) []types.NamespacedName {
			return []types.NamespacedName{serviceOf(s)}
		}),
	}
}

// serviceOf returns the Service that an EndpointSlice belongs to.
func serviceOf(s *discoveryv1.EndpointSlice) types.NamespacedName {
	return types.NamespacedName{Namespace: s.Namespace, Name: s.Labels[discoveryv1.LabelServiceName]}
}

// world shows the inputs as they are now.
type world struct {
	inputs      *inputs
	collections *collections
}

var _ gatewayapi.World = world{}

// Namespace implements gatewayapi.World.
func (w world) Namespace(name string) *corev1.Namespace {
	return value(w.inputs.namespaces.objects.GetKey(name))
}

// ReferenceGrants implements gatewayapi.World.
func (w world) ReferenceGrants(namespace string) []*gatewayv1beta1.ReferenceGrant {
	return w.collections.grants.Lookup(namespace)
}

// Service implements gatewayapi.World.
func (w world) Service(key types.NamespacedName) *corev1.Service {
	return value(w.inputs.services.objects.GetKey(key.String()))
}

// EndpointSlices implements gatewayapi.World.
func (w world) EndpointSlices(service types.NamespacedName) []*discoveryv1.EndpointSlice {
	return w.collections.slices.Lookup(service)
}

// Secret implements gatewayapi.World.
func (w world) Secret(key types.NamespacedName) *corev1.Secret {
	return value(w.inputs.secrets.objects.GetKey(key.String()))
}

// value returns what found points to, or nil.
func value[T any](found **T) *T {
	if found == nil {
		return nil
	}
	return *found
}
