package xds_test

import (
	"testing"
	"testing/synctest"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/xdsready/xdsready/pkg/xds"
)

// service is an xDS service of one type, as Envoy calls it.
type service struct {
	typeURL     string
	sotw, delta string // methods; empty: it has none
	resource    func(name string) proto.Message
}

var services = map[string]service{
	"CDS": {resourcev3.ClusterType,
		"/envoy.service.cluster.v3.ClusterDiscoveryService/StreamClusters",
		"/envoy.service.cluster.v3.ClusterDiscoveryService/DeltaClusters",
		func(name string) proto.Message { return staticCluster(name) }},
	"EDS": {resourcev3.EndpointType,
		"/envoy.service.endpoint.v3.EndpointDiscoveryService/StreamEndpoints",
		"/envoy.service.endpoint.v3.EndpointDiscoveryService/DeltaEndpoints",
		func(name string) proto.Message { return loadAssignment(name) }},
	"LDS": {resourcev3.ListenerType,
		"/envoy.service.listener.v3.ListenerDiscoveryService/StreamListeners",
		"/envoy.service.listener.v3.ListenerDiscoveryService/DeltaListeners",
		func(name string) proto.Message { return listener(name) }},
	"RDS": {resourcev3.RouteType,
		"/envoy.service.route.v3.RouteDiscoveryService/StreamRoutes",
		"/envoy.service.route.v3.RouteDiscoveryService/DeltaRoutes",
		func(name string) proto.Message { return routeTable(name, "example.com") }},
	"SRDS": {resourcev3.ScopedRouteType,
		"/envoy.service.route.v3.ScopedRoutesDiscoveryService/StreamScopedRoutes",
		"/envoy.service.route.v3.ScopedRoutesDiscoveryService/DeltaScopedRoutes",
		func(name string) proto.Message { return scopedRoute(name, "table") }},
	"VHDS": {resourcev3.VirtualHostType,
		"",
		"/envoy.service.route.v3.VirtualHostDiscoveryService/DeltaVirtualHosts",
		func(name string) proto.Message { return virtualHost(name) }},
	"SDS": {resourcev3.SecretType,
		"/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets",
		"/envoy.service.secret.v3.SecretDiscoveryService/DeltaSecrets",
		func(name string) proto.Message { return secret(name) }},
	"ECDS": {resourcev3.ExtensionConfigType,
		"/envoy.service.extension.v3.ExtensionConfigDiscoveryService/StreamExtensionConfigs",
		"/envoy.service.extension.v3.ExtensionConfigDiscoveryService/DeltaExtensionConfigs",
		func(name string) proto.Message { return extension(name) }},
	"RTDS": {resourcev3.RuntimeType,
		"/envoy.service.runtime.v3.RuntimeDiscoveryService/StreamRuntime",
		"/envoy.service.runtime.v3.RuntimeDiscoveryService/DeltaRuntime",
		func(name string) proto.Message { return runtimeLayer(name) }},
}

// call opens a stream by a method's name.
func call[Q, R any](t *testing.T, conn *grpc.ClientConn, method string) *grpc.GenericClientStream[Q, R] {
	t.Helper()
	stream, err := conn.NewStream(testContext(t), &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method)
	if err != nil {
		t.Fatal(err)
	}
	return &grpc.GenericClientStream[Q, R]{ClientStream: stream}
}

func TestServices(t *testing.T) {
	for name, service := range services {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil, xds.Options{})
			r.set(t, xds.AllGroup, service.resource("a"), service.resource("b"))
			if service.sotw != "" {
				t.Run("SotW", func(t *testing.T) {
					stream := call[discovery.DiscoveryRequest, discovery.DiscoveryResponse](t, r.conn, service.sotw)
					send(t, stream, &discovery.DiscoveryRequest{Node: node("envoy", ""), ResourceNames: []string{"a", "b"}})
					got := receive(t, stream)
					want(t, "first response", got, "a", "b")
					if got.GetTypeUrl() != service.typeURL {
						t.Errorf("type_url is %q, want %q", got.GetTypeUrl(), service.typeURL)
					}
				})
			}
			t.Run("delta", func(t *testing.T) {
				stream := call[discovery.DeltaDiscoveryRequest, discovery.DeltaDiscoveryResponse](t, r.conn, service.delta)
				sendDelta(t, stream, &discovery.DeltaDiscoveryRequest{Node: node("envoy", ""), ResourceNamesSubscribe: []string{"b", "a"}})
				got := receiveDelta(t, stream)
				wantDelta(t, "first response", got, answer{Resources: []string{"a", "b"}})
				if got.GetTypeUrl() != service.typeURL {
					t.Errorf("type_url is %q, want %q", got.GetTypeUrl(), service.typeURL)
				}
			})
		})
	}
}

// VHDS is delta only, and what is for REST is not served.
func TestMethodsThatAreNotServed(t *testing.T) {
	r := newRig(t, nil, xds.Options{})
	for _, method := range []string{
		"/envoy.service.route.v3.VirtualHostDiscoveryService/StreamVirtualHosts",
		"/envoy.service.cluster.v3.ClusterDiscoveryService/FetchClusters",
	} {
		stream := call[discovery.DiscoveryRequest, discovery.DiscoveryResponse](t, r.conn, method)
		_, err := stream.Recv()
		wantStatus(t, err, codes.Unimplemented, "unknown method")
	}
}

// A stream of one type that comes with the current version is sent no resource.
// In delta the one empty response resets Envoy's back-off; in SotW it would empty
// the proxy.
func TestServicesResume(t *testing.T) {
	for name, service := range services {
		t.Run(name, func(t *testing.T) {
			if service.sotw != "" {
				t.Run("SotW", func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { resumesSotW(t, service) })
				})
			}
			t.Run("delta", func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { resumesDelta(t, service) })
			})
		})
	}
}

func resumesSotW(t *testing.T, service service) {
	t.Helper()
	r := newServer(t, nil, xds.Options{})
	r.set(t, xds.AllGroup, service.resource("a"))
	open := func(version string) *sotwPipe {
		p := r.sotwPipe(t, service.typeURL)
		send(t, p, &discovery.DiscoveryRequest{Node: node("envoy", ""), VersionInfo: version, ResourceNames: []string{"a", "b"}})
		return p
	}
	held := receive(t, open("")).GetVersionInfo()
	resumed := open(held)
	resumed.silent(t, time.Hour)
	r.set(t, xds.AllGroup, service.resource("a"), service.resource("b"))
	names := []string{"b"}
	switch service.typeURL {
	case resourcev3.ClusterType, resourcev3.ListenerType, resourcev3.ScopedRouteType:
		names = []string{"a", "b"} // a response of these says all there is
	}
	want(t, "a later change", resumed.nextAfter(t, 0), names...)
	want(t, "what has changed meanwhile", receive(t, open(held)), names...)
	want(t, "after an unknown version", receive(t, open("of another server")), "a", "b")
}

func resumesDelta(t *testing.T, service service) {
	t.Helper()
	r := newServer(t, nil, xds.Options{})
	r.set(t, xds.AllGroup, service.resource("a"))
	open := func(held map[string]string) *deltaPipe {
		p := r.deltaPipe(t, service.typeURL)
		sendDelta(t, p, &discovery.DeltaDiscoveryRequest{Node: node("envoy", ""), InitialResourceVersions: held})
		return p
	}
	first := receiveDelta(t, open(nil))
	held := map[string]string{"a": first.GetResources()[0].GetVersion()}
	resumed := open(held)
	greeting := resumed.nextAfter(t, greetingAfter)
	wantDelta(t, "greeting", greeting, answer{})
	if greeting.GetTypeUrl() != service.typeURL {
		t.Errorf("greeting of %s, want of the stream's type", greeting.GetTypeUrl())
	}
	resumed.silent(t, time.Hour)
	r.set(t, xds.AllGroup, service.resource("a"), service.resource("b"))
	wantDelta(t, "a later change", resumed.nextAfter(t, 0), answer{Resources: []string{"b"}})
	wantDelta(t, "what has changed meanwhile", receiveDelta(t, open(held)), answer{Resources: []string{"b"}})
	held["a"], held["gone"] = "of another server", first.GetResources()[0].GetVersion()
	wantDelta(t, "after an unknown version", receiveDelta(t, open(held)),
		answer{Resources: []string{"a", "b"}, Removed: []string{"gone"}})
}

// A stream of one type cannot know what the others do, so it waits for nothing:
// a route table goes although nobody has the cluster that it names.
func TestServicesHaveNoOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newServer(t, nil, xds.Options{})
		r.set(t, xds.AllGroup, staticCluster("old"), routesTo("old"))
		clusters, routes := r.sotwPipe(t, resourcev3.ClusterType), r.deltaPipe(t, resourcev3.RouteType)
		send(t, clusters, &discovery.DiscoveryRequest{Node: node("envoy", "")})
		sendDelta(t, routes, &discovery.DeltaDiscoveryRequest{Node: node("envoy", ""), ResourceNamesSubscribe: []string{"table"}})
		want(t, "clusters", receive(t, clusters), "old")
		receiveDelta(t, routes)
		r.set(t, xds.AllGroup, staticCluster("new"), routesTo("new"))
		wantDelta(t, "the switch", routes.nextAfter(t, 0), answer{Resources: []string{"table"}})
		want(t, "the removal", clusters.nextAfter(t, 0), "new")
	})
}
