package gatewayapi

import (
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"
)

// TestRouteNames: what a route names, each once.
func TestRouteNames(t *testing.T) {
	r := NewRoute(load(t, routeManifest("route", `
parentRefs: [{name: web, sectionName: a}, {name: web, sectionName: b}, {name: web, namespace: bank}, {name: web, kind: Service, group: ""}]
rules:
- backendRefs: [{name: cart, port: 80}, {name: cart, port: 81}, {name: pay, namespace: bank, port: 80}, {kind: ConfigMap, name: c}]
- backendRefs: [{name: pay, namespace: bank, port: 80}, {name: list, namespace: shop, port: 80}]`)).routes[0])
	key := func(namespace, name string) types.NamespacedName {
		return types.NamespacedName{Namespace: namespace, Name: name}
	}
	if diff := gocmp.Diff("shop/route", r.ResourceName()); diff != "" {
		t.Errorf("name (-want +got):\n%s", diff)
	}
	if diff := gocmp.Diff([]types.NamespacedName{key("shop", "web"), key("bank", "web")}, r.Gateways()); diff != "" {
		t.Errorf("gateways (-want +got):\n%s", diff)
	}
	if diff := gocmp.Diff([]types.NamespacedName{key("shop", "cart"), key("bank", "pay"), key("shop", "list")}, r.Services()); diff != "" {
		t.Errorf("services (-want +got):\n%s", diff)
	}
	if diff := gocmp.Diff([]string{"bank"}, r.BackendNamespaces()); diff != "" {
		t.Errorf("namespaces of backends (-want +got):\n%s", diff)
	}
}

// TestEquals: an object is new by UID and generation, whatever its status.
func TestEquals(t *testing.T) {
	object := func(uid types.UID, generation int64, parents int) (*Route, *Gateway) {
		meta := metav1.ObjectMeta{Name: "a", UID: uid, Generation: generation}
		route := &gatewayv1.HTTPRoute{ObjectMeta: meta}
		route.Status.Parents = make([]gatewayv1.RouteParentStatus, parents)
		return NewRoute(route), NewGateway(&gatewayv1.Gateway{ObjectMeta: meta})
	}
	route, gateway := object("u", 1, 0)
	for name, test := range map[string]struct {
		uid        types.UID
		generation int64
		want       bool
	}{
		"status":     {"u", 1, true},
		"generation": {"u", 2, false},
		"re-created": {"v", 1, false},
	} {
		otherRoute, otherGateway := object(test.uid, test.generation, 1)
		if got := route.Equals(otherRoute); got != test.want {
			t.Errorf("%s: routes equal: %t, want %t", name, got, test.want)
		}
		if got := gateway.Equals(otherGateway); got != test.want {
			t.Errorf("%s: gateways equal: %t, want %t", name, got, test.want)
		}
	}
}

// TestAbsent: what was looked up and not there is listed once, and only what the
// rules in use refer to.
func TestAbsent(t *testing.T) {
	w := load(t, services, `
kind: Service
metadata: {namespace: shop, name: external}
spec: {type: ExternalName, externalName: example.com}
---
kind: Service
metadata: {namespace: shop, name: selected}
spec: {selector: {app: a}, ports: [{port: 80}]}
---
kind: Service
metadata: {namespace: shop, name: headless}
spec: {clusterIP: None, ports: [{port: 80}]}`,
		routeManifest("route", `
rules:
- backendRefs: [{name: none, port: 80}, {name: none, port: 81}, {name: external, port: 80}, {name: selected, port: 80}, {name: headless, port: 80}]
- backendRefs: [{name: none, port: 80}, {name: pay, namespace: bank, port: 80}, {name: list, port: 80}, {name: cart, port: 81}]
- timeouts: {request: 1s}
  backendRefs: [{name: unused, port: 80}]`))
	resolution := NewRoute(w.routes[0]).Resolve(w)
	var got []string
	for _, a := range resolution.Absent {
		got = append(got, a.String())
	}
	want := []string{
		"EndpointSlices shop/headless",
		"EndpointSlices shop/selected",
		"Port shop/cart 81",
		"ReferenceGrant bank/pay from shop",
		"Service shop/none",
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("absent (-want +got):\n%s", diff)
	}
	var backends []string
	for _, b := range resolution.Backends() {
		backends = append(backends, b.Name())
	}
	wantBackends := []string{"shop/external/80", "shop/headless/80", "shop/list/80", "shop/selected/80"}
	if diff := gocmp.Diff(wantBackends, backends); diff != "" {
		t.Errorf("backends (-want +got):\n%s", diff)
	}
}

// TestSecretsOfGateway: what its listeners name, once each.
func TestSecretsOfGateway(t *testing.T) {
	w := load(t, gatewayManifest(`
listeners:
- {name: a, port: 443, protocol: HTTPS, hostname: a.example, tls: {certificateRefs: [{name: none}, {name: tls, namespace: vault}]}}
- {name: b, port: 443, protocol: HTTPS, hostname: b.example, tls: {certificateRefs: [{name: none}, {kind: ConfigMap, name: c}]}}`))
	var secrets []string
	for _, s := range NewGateway(w.gateways[0]).Secrets() {
		secrets = append(secrets, s.String())
	}
	if diff := gocmp.Diff([]string{"shop/none", "vault/tls"}, secrets); diff != "" {
		t.Errorf("secrets (-want +got):\n%s", diff)
	}
}

// TestPermits: a grant is for a kind in a namespace, and for one object or all.
func TestPermits(t *testing.T) {
	service := Absence{Kind: AbsentReferenceGrant, Object: types.NamespacedName{Namespace: "bank", Name: "pay"}, From: "shop"}
	for name, test := range map[string]struct {
		spec string
		want bool
	}{
		"one Service":     {spec: `{from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop}], to: [{kind: Service, name: pay}]}`, want: true},
		"all Services":    {spec: `{from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop}], to: [{kind: Service}]}`, want: true},
		"another Service": {spec: `{from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop}], to: [{kind: Service, name: other}]}`},
		"another origin":  {spec: `{from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: web}], to: [{kind: Service}]}`},
		"another kind":    {spec: `{from: [{group: gateway.networking.k8s.io, kind: GRPCRoute, namespace: shop}], to: [{kind: Service}]}`},
		"another group":   {spec: `{from: [{group: example.com, kind: HTTPRoute, namespace: shop}], to: [{kind: Service}]}`},
		"group of object": {spec: `{from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop}], to: [{group: example.com, kind: Service}]}`},
		"secrets":         {spec: `{from: [{group: gateway.networking.k8s.io, kind: Gateway, namespace: shop}], to: [{kind: Secret}]}`},
		"routes, secrets": {spec: `{from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop}], to: [{kind: Secret}]}`},
	} {
		grant := load(t, "kind: ReferenceGrant\nmetadata: {namespace: bank, name: g}\nspec: "+test.spec).grants[0]
		grants := []gatewayv1beta1.ReferenceGrant{*grant}
		if got := Permits(grants, service); got != test.want {
			t.Errorf("%s: permitted: %t, want %t", name, got, test.want)
		}
	}
}
