package kubernetes

import (
	"fmt"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// scene is one test's part of a cluster: a namespace, and a GatewayClass of a
// controller that only this test's program is.
type scene struct {
	*apiServer
	namespace  string // also the name of the class
	controller gatewayv1.GatewayController
}

// names counts those that were made up.
var names atomic.Int64

// newScene makes a scene without Gateways.
func newScene(t *testing.T, api *apiServer) *scene {
	t.Helper()
	name := fmt.Sprintf("scene-%d", names.Add(1))
	s := &scene{apiServer: api, namespace: name, controller: gatewayv1.GatewayController("xdsready.test/" + name)}
	s.create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
	return s
}

// newSceneWithClass makes a scene with its GatewayClass, without Gateways.
func newSceneWithClass(t *testing.T, api *apiServer) *scene {
	t.Helper()
	s := newScene(t, api)
	s.create(t, s.class())
	return s
}

// flags are those that make the program this scene's controller.
func (s *scene) flags(more ...string) []string {
	return append([]string{"--controller-name", string(s.controller)}, more...)
}

// kubeconfig writes the administrator's kubeconfig.
func (s *scene) kubeconfig(t *testing.T) string {
	t.Helper()
	return writeKubeconfig(t, s.environment.KubeConfig)
}

// serve starts the program as the administrator.
func (s *scene) serve(t *testing.T, flags ...string) *program {
	t.Helper()
	return serve(t, s.kubeconfig(t), s.flags(flags...)...)
}

// unique returns a name that no other object has.
func (*scene) unique(prefix string) string { return fmt.Sprintf("%s-%d", prefix, names.Add(1)) }

func (s *scene) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: s.namespace, Name: name}
}

// key is what an object of the scene is found by.
func (s *scene) key(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: s.namespace, Name: name}
}

// group is the node group of a Gateway of the scene.
func (s *scene) group(gateway string) string { return s.namespace + "/" + gateway }

// cluster is the Envoy cluster of a Service of the scene, at port 80.
func (s *scene) cluster(service string) string { return s.namespace + "/" + service + "/80" }

func (s *scene) class() *gatewayv1.GatewayClass {
	return &gatewayv1.GatewayClass{
		ObjectMeta: metav1.ObjectMeta{Name: s.namespace},
		Spec:       gatewayv1.GatewayClassSpec{ControllerName: s.controller},
	}
}

// gateway is a Gateway with these listeners; without any, one of HTTP at port 80.
func (s *scene) gateway(name string, listeners ...gatewayv1.Listener) *gatewayv1.Gateway {
	if len(listeners) == 0 {
		listeners = []gatewayv1.Listener{httpListener("http", 80)}
	}
	return &gatewayv1.Gateway{
		ObjectMeta: s.meta(name),
		Spec:       gatewayv1.GatewaySpec{GatewayClassName: gatewayv1.ObjectName(s.namespace), Listeners: listeners},
	}
}

func httpListener(name string, port int) gatewayv1.Listener {
	return gatewayv1.Listener{
		Name: gatewayv1.SectionName(name), Port: gatewayv1.PortNumber(port), Protocol: gatewayv1.HTTPProtocolType,
	}
}

// httpsListener is a listener whose certificate is in a Secret of the Gateway's namespace.
func httpsListener(name string, port int, secret string) gatewayv1.Listener {
	return gatewayv1.Listener{
		Name: gatewayv1.SectionName(name), Port: gatewayv1.PortNumber(port), Protocol: gatewayv1.HTTPSProtocolType,
		TLS: &gatewayv1.ListenerTLSConfig{
			CertificateRefs: []gatewayv1.SecretObjectReference{{Name: gatewayv1.ObjectName(secret)}},
		},
	}
}

// route is an HTTPRoute of a Gateway: paths below the route's name go to port 80
// of a Service.
func (s *scene) route(name, gateway, service string) *gatewayv1.HTTPRoute {
	path, port := pathOf(name), gatewayv1.PortNumber(80)
	return &gatewayv1.HTTPRoute{
		ObjectMeta: s.meta(name),
		Spec: gatewayv1.HTTPRouteSpec{
			CommonRouteSpec: gatewayv1.CommonRouteSpec{
				ParentRefs: []gatewayv1.ParentReference{{Name: gatewayv1.ObjectName(gateway)}},
			},
			Rules: []gatewayv1.HTTPRouteRule{{
				Matches: []gatewayv1.HTTPRouteMatch{{Path: &gatewayv1.HTTPPathMatch{Value: &path}}},
				BackendRefs: []gatewayv1.HTTPBackendRef{{BackendRef: gatewayv1.BackendRef{
					BackendObjectReference: gatewayv1.BackendObjectReference{Name: gatewayv1.ObjectName(service), Port: &port},
				}}},
			}},
		},
	}
}

// pathOf is the path of a scene's route.
func pathOf(route string) string { return "/" + route }

// service is a ClusterIP Service with port 80.
func (s *scene) service(name string) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: s.meta(name),
		Spec: corev1.ServiceSpec{
			Selector: map[string]string{"app": name},
			Ports:    []corev1.ServicePort{{Name: "http", Port: 80}},
		},
	}
}

// slice is an EndpointSlice of a Service with these ready IPv4 addresses.
func (s *scene) slice(service string, addresses ...string) *discoveryv1.EndpointSlice {
	name, port, ready := "http", int32(8080), true
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  s.meta(service + "-1"),
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: &name, Port: &port}},
		Endpoints:   []discoveryv1.Endpoint{},
	}
	slice.Labels = map[string]string{discoveryv1.LabelServiceName: service}
	for _, address := range addresses {
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
			Addresses: []string{address}, Conditions: discoveryv1.EndpointConditions{Ready: &ready},
		})
	}
	return slice
}

// backend is a Service with one endpoint.
func (s *scene) backend(name string) []client.Object {
	return []client.Object{s.service(name), s.slice(name, "10.1.2.3")}
}

// tlsSecret is a Secret of type kubernetes.io/tls.
func (s *scene) tlsSecret(name string, certificate, key []byte) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: s.meta(name), Type: corev1.SecretTypeTLS,
		Data: map[string][]byte{corev1.TLSCertKey: certificate, corev1.TLSPrivateKeyKey: key},
	}
}

// serves reports whether a proxy's path goes to a Service of the scene, which
// has a cluster with an endpoint.
func (s *scene) serves(route, service string) func(view) bool {
	return func(v view) bool {
		cluster := s.cluster(service)
		return v.targets()[pathOf(route)] == cluster && v.clusters()[cluster] != nil && len(v.endpoints(cluster)) > 0
	}
}
