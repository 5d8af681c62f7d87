package main

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// The objects look as in a cluster in use: the EndpointSlices as their controller
// makes them, each Service used by one route.

const (
	// controller is the name by which GatewayClasses choose xdsready.
	controller        = "xdsready.io/gateway-controller"
	className         = "xdsready"
	gatewayName       = "edge"
	gatewayNamespace  = "gateways"
	teams             = 20 // namespaces that the Services and routes are in
	servicePort       = 80
	containerPort     = 8080
	endpointsPerSlice = 5
)

func teamName(team int) string { return fmt.Sprintf("team-%02d", team%teams) }

func serviceName(i int) string { return fmt.Sprintf("service-%05d", i) }

// assignmentName is the name of the load assignment of Service i.
func assignmentName(i int) string {
	return fmt.Sprintf("%s/%s/%d", teamName(i), serviceName(i), servicePort)
}

func newNamespace(name string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

func newClass() *gatewayv1.GatewayClass {
	return &gatewayv1.GatewayClass{
		ObjectMeta: metav1.ObjectMeta{Name: className},
		Spec:       gatewayv1.GatewayClassSpec{ControllerName: controller},
	}
}

func newGateway() *gatewayv1.Gateway {
	return &gatewayv1.Gateway{
		ObjectMeta: metav1.ObjectMeta{Namespace: gatewayNamespace, Name: gatewayName},
		Spec: gatewayv1.GatewaySpec{
			GatewayClassName: className,
			Listeners: []gatewayv1.Listener{{
				Name: "http", Port: servicePort, Protocol: gatewayv1.HTTPProtocolType,
				AllowedRoutes: &gatewayv1.AllowedRoutes{
					Namespaces: &gatewayv1.RouteNamespaces{From: new(gatewayv1.NamespacesFromAll)},
				},
			}},
		},
	}
}

// newService returns Service i. It is headless, which is nothing to those who read
// the endpoints, but an address of its own costs the API server another object.
func newService(i int) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: teamName(i), Name: serviceName(i), Labels: map[string]string{"app.kubernetes.io/name": serviceName(i)},
		},
		Spec: corev1.ServiceSpec{
			ClusterIP: corev1.ClusterIPNone,
			Selector:  map[string]string{"app.kubernetes.io/name": serviceName(i)},
			Ports:     []corev1.ServicePort{{Name: "http", Port: servicePort, TargetPort: intstr.FromInt32(containerPort)}},
		},
	}
}

func newSlice(i int) *discoveryv1.EndpointSlice {
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: teamName(i), Name: serviceName(i) + "-x7x2k",
			Labels: map[string]string{
				discoveryv1.LabelServiceName: serviceName(i),
				discoveryv1.LabelManagedBy:   "endpointslice-controller.k8s.io",
				"app.kubernetes.io/name":     serviceName(i),
			},
			Annotations: map[string]string{corev1.EndpointsLastChangeTriggerTime: "2026-01-01T00:00:00Z"},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: new("http"), Protocol: new(corev1.ProtocolTCP), Port: new(int32(containerPort))}},
	}
	for n := range endpointsPerSlice {
		slice.Endpoints = append(slice.Endpoints, newEndpoint(slice.Namespace, i*endpointsPerSlice+n))
	}
	return slice
}

// newEndpoint returns endpoint n of all.
func newEndpoint(namespace string, n int) discoveryv1.Endpoint {
	return discoveryv1.Endpoint{
		Addresses:  []string{address(20, n)},
		Conditions: discoveryv1.EndpointConditions{Ready: new(true), Serving: new(true), Terminating: new(false)},
		NodeName:   new(fmt.Sprintf("node-%03d", n%200)),
		Zone:       new(fmt.Sprintf("zone-%d", n%3)),
		TargetRef: &corev1.ObjectReference{
			Kind: "Pod", Namespace: namespace, Name: fmt.Sprintf("pod-%06d-5d4f9c7b8-x2x7k", n),
			UID: "2f0a5f2c-9f4e-4f0e-8a51-0a4f7d2c1b3e",
		},
	}
}

// replacementAddress is the address of the n-th pod that takes another's place.
func replacementAddress(n int) string { return address(60, n) }

// address returns address n of those that begin in 10.second.
func address(second, n int) string {
	return fmt.Sprintf("10.%d.%d.%d", second+n>>16, n>>8&255, n&255)
}

// newRoute returns route i of n, which has a rule for each of its Services.
func newRoute(i int, s size) *gatewayv1.HTTPRoute {
	route := &gatewayv1.HTTPRoute{
		ObjectMeta: metav1.ObjectMeta{Namespace: teamName(i), Name: fmt.Sprintf("route-%05d", i)},
		Spec: gatewayv1.HTTPRouteSpec{
			CommonRouteSpec: gatewayv1.CommonRouteSpec{ParentRefs: []gatewayv1.ParentReference{{
				Namespace: new(gatewayv1.Namespace(gatewayNamespace)), Name: gatewayName,
			}}},
			Hostnames: []gatewayv1.Hostname{gatewayv1.Hostname(fmt.Sprintf("shop-%05d.example.com", i))},
		},
	}
	// teams divides routes, so that service i, i+routes, i+2*routes … are in the
	// route's own namespace.
	for service := i; service < s.services; service += s.routes {
		route.Spec.Rules = append(route.Spec.Rules, gatewayv1.HTTPRouteRule{
			Matches: []gatewayv1.HTTPRouteMatch{{Path: &gatewayv1.HTTPPathMatch{
				Type: new(gatewayv1.PathMatchPathPrefix), Value: new("/" + serviceName(service)),
			}}},
			BackendRefs: []gatewayv1.HTTPBackendRef{{BackendRef: gatewayv1.BackendRef{
				BackendObjectReference: gatewayv1.BackendObjectReference{
					Name: gatewayv1.ObjectName(serviceName(service)), Port: new(gatewayv1.PortNumber(servicePort)),
				},
			}}},
		})
	}
	return route
}
