package gatewayapi

import (
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// busyGateway returns a Gateway and 2,000 routes to it of two rules each, on
// hostnames of this format.
func busyGateway(hostname string) (*Gateway, []*gatewayv1.HTTPRoute) {
	gateway := &gatewayv1.Gateway{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}}
	gateway.Spec.Listeners = []gatewayv1.Listener{{Name: "http", Port: 80, Protocol: gatewayv1.HTTPProtocolType}}
	var routes []*gatewayv1.HTTPRoute
	for i := range 2000 {
		r := &gatewayv1.HTTPRoute{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: fmt.Sprint("route-", i)}}
		r.Spec.ParentRefs = []gatewayv1.ParentReference{{Name: "web"}}
		r.Spec.Hostnames = []gatewayv1.Hostname{gatewayv1.Hostname(strings.ReplaceAll(hostname, "N", fmt.Sprint(i)))}
		for _, path := range []string{"/", fmt.Sprint("/path/", i)} {
			backend := gatewayv1.BackendObjectReference{Name: gatewayv1.ObjectName(fmt.Sprint("service-", i)), Port: new(int32(80))}
			r.Spec.Rules = append(r.Spec.Rules, gatewayv1.HTTPRouteRule{
				Matches:     []gatewayv1.HTTPRouteMatch{{Path: &gatewayv1.HTTPPathMatch{Value: &path}}},
				BackendRefs: []gatewayv1.HTTPBackendRef{{BackendRef: gatewayv1.BackendRef{BackendObjectReference: backend}}},
			})
		}
		routes = append(routes, r)
	}
	return NewGateway(gateway), routes
}

// BenchmarkResolve compiles and resolves one route.
func BenchmarkResolve(b *testing.B) {
	_, routes := busyGateway("example.com")
	for b.Loop() {
		NewRoute(routes[0]).Resolve(&world{})
	}
}

// BenchmarkAssemble assembles 2,000 routes, each with a hostname of its own or
// all with one.
func BenchmarkAssemble(b *testing.B) {
	for name, hostname := range map[string]string{"own": "hN.example.com", "one": "example.com"} {
		b.Run(name, func(b *testing.B) {
			gateway, routes := busyGateway(hostname)
			var resolutions []*Resolution
			for _, r := range routes {
				resolutions = append(resolutions, NewRoute(r).Resolve(&world{}))
			}
			for b.Loop() {
				if _, err := gateway.Assemble(resolutions, &world{}, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
