package gatewayapi

import (
	"math/rand/v2"
	"testing"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/xdsready/xdsready/pkg/cache"
)

// TestOrder: routes, grants and slices come in any order and make the same
// versions and the same status.
func TestOrder(t *testing.T) {
	d := dice{rand.New(rand.NewPCG(7, 7))}
	w := load(t, services, grantPay)
	w.gateways = append(w.gateways, d.gateway())
	for i := range 30 {
		w.routes = append(w.routes, d.route(i))
	}
	first := w.plan(t)
	for range 20 {
		shuffle(d.Rand, w.routes)
		again := w.plan(t)
		if diff := gocmp.Diff(versions(first), versions(again)); diff != "" {
			t.Fatalf("versions differ:\n%s", diff)
		}
		if diff := gocmp.Diff(first.Routes, again.Routes); diff != "" {
			t.Fatalf("status of routes differs:\n%s", diff)
		}
		if diff := gocmp.Diff(first.Gateway, again.Gateway); diff != "" {
			t.Fatalf("status of the Gateway differs:\n%s", diff)
		}
	}
}

func versions(p *Plan) map[string]cache.Version {
	versions := make(map[string]cache.Version)
	for i, name := range p.names() {
		versions[name] = p.Resources[i].Version()
	}
	return versions
}

// TestStableListeners: routes come and go without a new listener, which would
// drain connections.
func TestStableListeners(t *testing.T) {
	gateway := gatewayManifest(`
listeners:
- {name: http, port: 80, protocol: HTTP}
- {name: tls, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: good}]}}`)
	w := load(t, services, gateway, goodSecret)
	before := versions(w.plan(t))
	w.routes = load(t, routeManifest("route", "hostnames: [a.example]\nrules: [{backendRefs: [{name: cart, port: 80}]}]")).routes
	after := versions(w.plan(t))
	for _, name := range []string{"Listener http-80", "Listener https-443"} {
		if before[name] != after[name] || before[name] == (cache.Version{}) {
			t.Errorf("%s: version %v before, %v after", name, before[name], after[name])
		}
	}
	for _, name := range []string{"RouteConfiguration http-80", "RouteConfiguration https-443/tls"} {
		if before[name] == after[name] {
			t.Errorf("%s is the same with a route and without", name)
		}
	}
}

// TestMisdirected: a TLS connection is for the listener that its name chose. A
// request on it for another one is sent to make a connection of its own.
func TestMisdirected(t *testing.T) {
	plan := load(t, services, goodSecret, gatewayManifest(`
listeners:
- {name: wild, port: 443, protocol: HTTPS, hostname: "*.example.com", tls: {certificateRefs: [{name: good}]}}
- {name: pay, port: 443, protocol: HTTPS, hostname: pay.example.com, tls: {certificateRefs: [{name: good}]}}
- {name: bad, port: 443, protocol: HTTPS, hostname: bad.example.com, tls: {certificateRefs: [{name: none}]}}`),
		routeManifest("route", "rules: [{backendRefs: [{name: cart, port: 80}]}]")).plan(t)
	for _, test := range []struct{ table, host, want string }{
		{"https-443/wild", "www.example.com", "shop/cart/80"},
		{"https-443/wild", "pay.example.com", "421"},
		{"https-443/wild", "bad.example.com", "404"},
		{"https-443/wild", "example.com", "404"},
		{"https-443/pay", "pay.example.com", "shop/cart/80"},
		{"https-443/pay", "www.example.com", "421"},
		{"https-443/pay", "example.com", "404"},
	} {
		if got := plan.ask(t, test.table, request{host: test.host, path: "/"}); got != test.want {
			t.Errorf("%s: %s gets %s, want %s", test.table, test.host, got, test.want)
		}
	}
}

// TestServiceGoes: a route to a Service that is missing does not name the cluster
// that the Service had, so that a proxy loses it in order.
func TestServiceGoes(t *testing.T) {
	w := load(t, services, httpGateway, routeManifest("route", "rules: [{backendRefs: [{name: cart, port: 80}]}]"))
	ask := func(p *Plan) string { return p.ask(t, "http-80", request{host: "x", path: "/"}) }
	if plan := w.plan(t); ask(plan) != "shop/cart/80" || len(plan.Backends) != 1 {
		t.Errorf("it is there: a request goes to %s, %d backends", ask(plan), len(plan.Backends))
	}
	w.services = nil
	if plan := w.plan(t); ask(plan) != "xdsready/absent/shop/cart/80" || len(plan.Backends) != 0 {
		t.Errorf("it is gone: a request goes to %s, %d backends", ask(plan), len(plan.Backends))
	}
}

// TestUnusedBackends: what only a listener that is left out would use is no part
// of the plan, although the route is accepted.
func TestUnusedBackends(t *testing.T) {
	plan := load(t, services, gatewayManifest(`
listeners:
- {name: http, port: 80, protocol: HTTP}
- {name: tls, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: none}]}}`),
		routeManifest("a", "parentRefs: [{name: web, sectionName: http}]\nrules: [{backendRefs: [{name: cart, port: 80}]}]"),
		routeManifest("b", "parentRefs: [{name: web, sectionName: tls}]\nrules: [{backendRefs: [{name: list, port: 80}]}]"),
	).plan(t)
	if len(plan.Backends) != 1 || plan.Backends[0].Name() != "shop/cart/80" {
		t.Errorf("backends %v, want shop/cart/80", plan.Backends)
	}
	if got := plan.parents("b"); len(got) > 0 {
		t.Errorf("the route of the listener that is left out: %v", got)
	}
}

// TestNeverNamed: a Service that may not be referred to is named by nothing.
func TestNeverNamed(t *testing.T) {
	w := load(t, services, httpGateway, routeManifest("route",
		"rules: [{backendRefs: [{name: cart, port: 80}, {name: pay, namespace: bank, port: 80}]}]"))
	snapshot, err := cache.Build(w.plan(t).Resources, cache.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range snapshot.Dangling() {
		got = append(got, d.Name)
	}
	if diff := gocmp.Diff([]string{"shop/cart/80", refusedCluster}, got); diff != "" {
		t.Errorf("clusters that routes name (-want +got):\n%s", diff)
	}
}

// TestClosed: listeners and route configurations name each other.
func TestClosed(t *testing.T) {
	w := load(t, gatewayManifest(`
listeners:
- {name: http, port: 80, protocol: HTTP}
- {name: a, port: 443, protocol: HTTPS, hostname: a.example, tls: {certificateRefs: [{name: good}]}}
- {name: rest, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: good}]}}`), goodSecret)
	plan := w.plan(t)
	snapshot, err := cache.Build(plan.Resources, cache.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if d := snapshot.Dangling(); len(d) > 0 {
		t.Errorf("dangling: %v", d)
	}
	want := []string{
		"Listener http-80", "RouteConfiguration http-80",
		"Listener https-443", "RouteConfiguration https-443/a", "RouteConfiguration https-443/rest", "Secret shop/good",
	}
	if diff := gocmp.Diff(want, plan.names()); diff != "" {
		t.Errorf("resources (-want +got):\n%s", diff)
	}
	for _, r := range plan.Resources {
		if l, ok := r.Message().(*listenerv3.Listener); ok && l.Name == "https-443" && len(l.FilterChains) != 2 {
			t.Errorf("%d filter chains, want 2", len(l.FilterChains))
		}
	}
}
