package gatewayapi

import (
	"math/rand/v2"
	"testing"

	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	gocmp "github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/xdsready/xdsready/pkg/cache"
)

func backend(t *testing.T, spec string, port int32) Backend {
	t.Helper()
	w := load(t, "kind: Service\nmetadata: {namespace: shop, name: cart}\nspec: "+spec)
	return Backend{Service: w.Service(types.NamespacedName{Namespace: "shop", Name: "cart"}), Port: port}
}

// TestCluster: a Service that has EndpointSlices is a cluster of EDS, one of DNS
// has its endpoint in it.
func TestCluster(t *testing.T) {
	eds := `commonLbConfig:
  localityWeightedLbConfig: {}
edsClusterConfig:
  edsConfig:
    ads: {}
    resourceApiVersion: V3
name: shop/cart/80
type: EDS
`
	for name, test := range map[string]struct{ spec, want string }{
		"ClusterIP": {spec: "{ports: [{port: 80}]}", want: eds},
		"headless":  {spec: "{clusterIP: None, ports: [{port: 80}]}", want: eds},
		"WebSocket": {spec: "{ports: [{port: 80, appProtocol: kubernetes.io/ws}]}", want: eds},
		"h2c": {spec: "{ports: [{port: 80, appProtocol: kubernetes.io/h2c}]}", want: eds + `typedExtensionProtocolOptions:
  envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
    '@type': type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
    explicitHttpConfig:
      http2ProtocolOptions: {}
`},
		"ExternalName": {spec: "{type: ExternalName, externalName: example.com}", want: `dnsLookupFamily: ALL
loadAssignment:
  clusterName: shop/cart/80
  endpoints:
  - lbEndpoints:
    - endpoint:
        address:
          socketAddress:
            address: example.com
            portValue: 80
name: shop/cart/80
type: STRICT_DNS
`},
	} {
		t.Run(name, func(t *testing.T) {
			b := backend(t, test.spec, 80)
			r, err := b.Cluster()
			if err != nil {
				t.Fatal(err)
			}
			if diff := gocmp.Diff(test.want, toYAML(t, r)); diff != "" {
				t.Errorf("cluster (-want +got):\n%s", diff)
			}
			if got, want := b.External(), name == "ExternalName"; got != want {
				t.Errorf("external: %t, want %t", got, want)
			}
		})
	}
}

// TestExternalName: a Service cannot lead to the proxy itself.
func TestExternalName(t *testing.T) {
	for name, good := range map[string]bool{
		"example.com": true, "example.com.": true, "192.0.2.1": true, "2001:db8::1": true,
		"": false, "localhost": false, "a.localhost": false, "localhost.": false, "127.0.0.1": false, "127.1.2.3": false,
		"0.0.0.0": false, "::1": false, "::ffff:127.0.0.1": false, "169.254.169.254": false, "fe80::1": false, "224.0.0.1": false, "a_b": false,
	} {
		if err := checkExternalName(name); (err == nil) != good {
			t.Errorf("%q: good %t, want %t: %v", name, err == nil, good, err)
		}
	}
}

const slicesOfCart = `
kind: EndpointSlice
metadata: {namespace: shop, name: cart-1}
addressType: IPv4
ports: [{name: admin, port: 9001}, {name: http, port: 8080}]
endpoints:
- {addresses: [10.0.0.3], zone: b}
- {addresses: [10.0.0.1], zone: a, conditions: {ready: true}}
- {addresses: [10.0.0.2], zone: a, conditions: {ready: false}}
- {addresses: [10.0.0.4], zone: a, conditions: {ready: false, serving: true, terminating: true}}
---
kind: EndpointSlice
metadata: {namespace: shop, name: cart-2}
addressType: IPv6
ports: [{name: http, port: 8080}]
endpoints:
- {addresses: ["2001:db8::1"], zone: a}
---
kind: EndpointSlice
metadata: {namespace: shop, name: cart-3}
addressType: IPv4
ports: [{name: http, port: 8080}]
endpoints:
- {addresses: [10.0.0.1], zone: a}
`

// wantCart is what comes of slicesOfCart: the address in two slices once, zones
// weighed by their endpoints.
const wantCart = `clusterName: shop/cart/80
endpoints:
- lbEndpoints:
  - endpoint:
      address:
        socketAddress:
          address: 10.0.0.1
          portValue: 8080
    healthStatus: HEALTHY
  - endpoint:
      address:
        socketAddress:
          address: 2001:db8::1
          portValue: 8080
    healthStatus: HEALTHY
  loadBalancingWeight: 2
  locality:
    zone: a
- lbEndpoints:
  - endpoint:
      address:
        socketAddress:
          address: 10.0.0.3
          portValue: 8080
    healthStatus: HEALTHY
  loadBalancingWeight: 1
  locality:
    zone: b
`

// TestEndpoints, in any order of slices and of endpoints in them.
func TestEndpoints(t *testing.T) {
	b := backend(t, "{ports: [{name: http, port: 80}]}", 80)
	all := load(t, slicesOfCart).slices
	random := rand.New(rand.NewPCG(1, 2))
	var version cache.Version
	for i := range 20 {
		r, problems, err := b.Endpoints(all)
		if err != nil || len(problems) > 0 {
			t.Fatal(err, problems)
		}
		if i == 0 {
			version = r.Version()
			if diff := gocmp.Diff(wantCart, toYAML(t, r)); diff != "" {
				t.Errorf("load assignment (-want +got):\n%s", diff)
			}
		} else if r.Version() != version {
			t.Fatalf("another order is another version:\n%s", toYAML(t, r))
		}
		shuffle(random, all)
		for _, slice := range all {
			shuffle(random, slice.Endpoints)
		}
	}
}

// TestEndpointsLeaving: those that terminate are used when nothing else is left.
func TestEndpointsLeaving(t *testing.T) {
	b := backend(t, "{ports: [{port: 80}]}", 80)
	for name, test := range map[string]struct {
		conditions []string
		want       []string
	}{
		"ready":             {[]string{"{}", "{ready: false, serving: true, terminating: true}"}, []string{"10.0.0.1"}},
		"none ready":        {[]string{"{ready: false}", "{ready: false, serving: true, terminating: true}"}, []string{"10.0.0.2"}},
		"not serving":       {[]string{"{ready: false, serving: false, terminating: true}"}, nil},
		"serving not known": {[]string{"{ready: false, terminating: true}"}, nil},
	} {
		slice := "kind: EndpointSlice\nmetadata: {name: s}\naddressType: IPv4\nports: [{port: 1}]\nendpoints:\n"
		for i, c := range test.conditions {
			slice += "- {addresses: [10.0.0." + string(rune('1'+i)) + "], conditions: " + c + "}\n"
		}
		r, problems, err := b.Endpoints(load(t, slice).slices)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		assignment, ok := r.Message().(*endpointv3.ClusterLoadAssignment)
		if !ok {
			t.Fatalf("%s is a %T", r.Name(), r.Message())
		}
		for _, zone := range assignment.Endpoints {
			for _, e := range zone.LbEndpoints {
				got = append(got, e.GetEndpoint().GetAddress().GetSocketAddress().GetAddress())
			}
		}
		if diff := gocmp.Diff(test.want, got); diff != "" || len(problems) > 0 {
			t.Errorf("%s: addresses (-want +got):\n%s%v", name, diff, problems)
		}
	}
}

// TestBadEndpoints: what cannot be used is named, in an order that does not
// change, and the rest is used.
func TestBadEndpoints(t *testing.T) {
	b := backend(t, "{ports: [{name: http, port: 80}]}", 80)
	all := load(t, slicesOfCart, `
kind: EndpointSlice
metadata: {name: x-addresses}
addressType: IPv4
ports: [{name: http, port: 8080}]
endpoints: [{addresses: [pod-1]}, {addresses: []}, {addresses: [127.0.0.1]}, {addresses: [10.0.0.256], conditions: {ready: false}}]
---
kind: EndpointSlice
metadata: {name: x-fqdn}
addressType: FQDN
ports: [{name: http, port: 8080}]
endpoints: [{addresses: [example.com]}]
---
kind: EndpointSlice
metadata: {name: x-name}
addressType: IPv4
ports: [{name: other, port: 8080}]
endpoints: [{addresses: [10.0.9.1]}]
---
kind: EndpointSlice
metadata: {name: x-number}
addressType: IPv4
ports: [{name: http}]
endpoints: [{addresses: [10.0.9.2]}]
---
kind: EndpointSlice
metadata: {name: x-range}
addressType: IPv4
ports: [{name: http, port: 70000}]
endpoints: [{addresses: [10.0.9.3]}]
---
kind: EndpointSlice
metadata: {name: x-udp}
addressType: IPv4
ports: [{name: http, port: 8080, protocol: UDP}]
endpoints: [{addresses: [10.0.9.4]}]
---
kind: EndpointSlice
metadata: {name: x-without-pods}
addressType: IPv4`).slices
	shuffle(rand.New(rand.NewPCG(1, 2)), all)
	r, problems, err := b.Endpoints(all)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`EndpointSlice x-addresses: address "pod-1" is no IP address`,
		"EndpointSlice x-addresses: an endpoint has no address",
		"EndpointSlice x-addresses: 127.0.0.1 is the proxy itself",
		"EndpointSlice x-fqdn: address type FQDN is not supported",
		`EndpointSlice x-name: no number for the TCP port "http"`,
		`EndpointSlice x-number: no number for the TCP port "http"`,
		`EndpointSlice x-range: no number for the TCP port "http"`,
		`EndpointSlice x-udp: no number for the TCP port "http"`,
	}
	if diff := gocmp.Diff(want, problems); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	if diff := gocmp.Diff(wantCart, toYAML(t, r)); diff != "" {
		t.Errorf("load assignment (-want +got):\n%s", diff)
	}
}

// TestNoEndpoints: a Service scaled to zero has an empty load assignment.
func TestNoEndpoints(t *testing.T) {
	r, problems, err := backend(t, "{ports: [{port: 80}]}", 80).Endpoints(nil)
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	if diff := gocmp.Diff("clusterName: shop/cart/80\n", toYAML(t, r)); diff != "" {
		t.Errorf("load assignment (-want +got):\n%s", diff)
	}
}

// TestPortOfService: a port is one of TCP.
func TestPortOfService(t *testing.T) {
	b := backend(t, "{ports: [{name: dns, port: 53, protocol: UDP}, {name: dns-tcp, port: 53}]}", 53)
	if got := b.port(); got == nil || got.Name != "dns-tcp" || got.Protocol == corev1.ProtocolUDP {
		t.Errorf("port %v", got)
	}
}
