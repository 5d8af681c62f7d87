package kubernetes

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// badInput is a mistake in a scene that has a Gateway "gw".
type badInput struct {
	name    string
	objects []client.Object
	// want checks the status that tells the user.
	want func(*testing.T)
}

// badInputs are the mistakes that users make.
func badInputs(s *scene) []badInput {
	return []badInput{
		{"a regular expression that is none", []client.Object{s.regexRoute("regex", "(")}, func(t *testing.T) {
			t.Helper()
			s.wantRoute(t, "regex", fails(gatewayv1.RouteConditionAccepted, gatewayv1.RouteReasonUnsupportedValue))
		}},
		{"a backendRef to no Service", []client.Object{s.route("dangling", "gw", "missing")}, func(t *testing.T) {
			t.Helper()
			s.wantRoute(t, "dangling", holds(gatewayv1.RouteConditionAccepted, gatewayv1.RouteReasonAccepted),
				fails(gatewayv1.RouteConditionResolvedRefs, gatewayv1.RouteReasonBackendNotFound))
		}},
		{"a backendRef to another namespace without a grant", []client.Object{s.routeTo("elsewhere", "gw", "default", "kubernetes")}, func(t *testing.T) {
			t.Helper()
			s.wantRoute(t, "elsewhere", fails(gatewayv1.RouteConditionResolvedRefs, gatewayv1.RouteReasonRefNotPermitted))
		}},
		{"a Secret that is no certificate", []client.Object{
			s.tlsSecret("garbage", []byte("no certificate"), []byte("no key")),
			s.gateway("tls", httpListener("http", 80), httpsListener("https", 443, "garbage")),
		}, func(t *testing.T) {
			t.Helper()
			s.wantListener(t, "tls", "https", fails(gatewayv1.ListenerConditionResolvedRefs, gatewayv1.ListenerReasonInvalidCertificateRef),
				fails(gatewayv1.ListenerConditionProgrammed, gatewayv1.ListenerReasonInvalid))
			s.wantListener(t, "tls", "http", holds(gatewayv1.ListenerConditionProgrammed, gatewayv1.ListenerReasonProgrammed))
		}},
		{"two listeners on one port", []client.Object{
			s.gateway("conflict", httpListener("one", 80), httpsListener("two", 80, "garbage"), httpListener("other", 81)),
		}, func(t *testing.T) {
			t.Helper()
			for _, listener := range []string{"one", "two"} {
				s.wantListener(t, "conflict", listener, holds(gatewayv1.ListenerConditionConflicted, gatewayv1.ListenerReasonProtocolConflict))
			}
			s.wantListener(t, "conflict", "other", holds(gatewayv1.ListenerConditionProgrammed, gatewayv1.ListenerReasonProgrammed))
			s.wantGateway(t, "conflict", holds(gatewayv1.GatewayConditionAccepted, gatewayv1.GatewayReasonListenersNotValid))
		}},
		{"a Service without ports", []client.Object{s.portless("portless"), s.route("no-port", "gw", "portless")}, func(t *testing.T) {
			t.Helper()
			s.wantRoute(t, "no-port", fails(gatewayv1.RouteConditionResolvedRefs, gatewayv1.RouteReasonBackendNotFound))
		}},
		{"an ExternalName that is the proxy itself", []client.Object{s.external("inward", "localhost"), s.route("inward", "gw", "inward")}, func(t *testing.T) {
			t.Helper()
			s.wantRoute(t, "inward", fails(gatewayv1.RouteConditionResolvedRefs, "InvalidExternalName"))
		}},
		{"an EndpointSlice of host names", []client.Object{s.service("fqdn"), s.hostSlice("fqdn"), s.route("by-name", "gw", "fqdn")}, func(t *testing.T) {
			t.Helper()
			s.wantRoute(t, "by-name", fails("xdsready.io/EndpointsUsable", "InvalidEndpoints"))
		}},
		{"an EndpointSlice without the port", []client.Object{s.service("other-port"), s.otherPortSlice("other-port"), s.route("by-port", "gw", "other-port")}, func(t *testing.T) {
			t.Helper()
			s.wantRoute(t, "by-port", fails("xdsready.io/EndpointsUsable", "InvalidEndpoints"))
		}},
	}
}

// Each mistake is said in a status; everything else flows, to proxies that are
// there and to a program that starts with all of them.
func TestBadInput(t *testing.T) {
	t.Parallel()
	s := newSceneWithClass(t, shared)
	s.create(t, append(s.backend("app"), s.gateway("gw"), s.route("r", "gw", "app"))...)
	p := s.serve(t)
	p.wantReady(t)
	proxy := connect(t, p, "delta", ofGateway(s.group("gw")))
	proxy.until(t, "the good route", s.serves("r", "app"))
	s.wantGateway(t, "gw", holds(gatewayv1.GatewayConditionProgrammed, gatewayv1.GatewayReasonProgrammed))
	s.wantRoute(t, "r", holds(gatewayv1.RouteConditionAccepted, gatewayv1.RouteReasonAccepted),
		holds(gatewayv1.RouteConditionResolvedRefs, gatewayv1.RouteReasonResolvedRefs))

	for _, bad := range badInputs(s) {
		t.Run(bad.name, func(t *testing.T) {
			s.create(t, bad.objects...)
			bad.want(t)
			after := s.unique("after")
			s.create(t, append(s.backend(after), s.route(after, "gw", after))...)
			proxy.until(t, "a route that came after", s.serves(after, after))
			if !p.ready(t) {
				t.Error("/readyz is red")
			}
		})
	}
	another := s.serve(t)
	another.wantReady(t)
	connect(t, another, "sotw", ofGateway(s.group("gw"))).until(t, "the good route", s.serves("r", "app"))
	connect(t, another, "sotw", ofGateway(s.group("tls"))).until(t, "the good listener", func(v view) bool { return len(v.listeners()) == 1 })
}

// regexRoute is a route for requests with a header that a regular expression matches.
func (s *scene) regexRoute(name, expression string) *gatewayv1.HTTPRoute {
	route, kind := s.route(name, "gw", "app"), gatewayv1.HeaderMatchRegularExpression
	route.Spec.Rules[0].Matches[0].Headers = []gatewayv1.HTTPHeaderMatch{{Type: &kind, Name: "version", Value: expression}}
	return route
}

// routeTo is a route to a Service of another namespace.
func (s *scene) routeTo(name, gateway, namespace, service string) *gatewayv1.HTTPRoute {
	route, of := s.route(name, gateway, service), gatewayv1.Namespace(namespace)
	route.Spec.Rules[0].BackendRefs[0].Namespace = &of
	return route
}

// portless is a Service without ports, which only headless ones may be.
func (s *scene) portless(name string) *corev1.Service {
	return &corev1.Service{ObjectMeta: s.meta(name), Spec: corev1.ServiceSpec{ClusterIP: corev1.ClusterIPNone}}
}

// external is an ExternalName Service with port 80.
func (s *scene) external(name, host string) *corev1.Service {
	service := s.service(name)
	service.Spec.Type, service.Spec.ExternalName, service.Spec.Selector = corev1.ServiceTypeExternalName, host, nil
	return service
}

// hostSlice is an EndpointSlice with a host name for an address.
func (s *scene) hostSlice(service string) *discoveryv1.EndpointSlice {
	slice := s.slice(service, "app.example.org")
	slice.AddressType = discoveryv1.AddressTypeFQDN
	return slice
}

// otherPortSlice is an EndpointSlice that lacks the Service's port.
func (s *scene) otherPortSlice(service string) *discoveryv1.EndpointSlice {
	slice, other := s.slice(service, "10.1.2.3"), "metrics"
	slice.Ports[0].Name = &other
	return slice
}
