package xds

import (
	"strings"

	clusterservice "github.com/envoyproxy/go-control-plane/envoy/service/cluster/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	endpointservice "github.com/envoyproxy/go-control-plane/envoy/service/endpoint/v3"
	extensionservice "github.com/envoyproxy/go-control-plane/envoy/service/extension/v3"
	listenerservice "github.com/envoyproxy/go-control-plane/envoy/service/listener/v3"
	routeservice "github.com/envoyproxy/go-control-plane/envoy/service/route/v3"
	runtimeservice "github.com/envoyproxy/go-control-plane/envoy/service/runtime/v3"
	secretservice "github.com/envoyproxy/go-control-plane/envoy/service/secret/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/grpc"
)

// services are the xDS services, each with the type of its streams; ADS carries
// all types. A service has a SotW stream, a delta stream or both; the unary
// Fetch methods, which are for REST, are not served.
var services = []struct {
	desc    *grpc.ServiceDesc
	typeURL string
}{
	{&discovery.AggregatedDiscoveryService_ServiceDesc, ""},
	{&clusterservice.ClusterDiscoveryService_ServiceDesc, resourcev3.ClusterType},
	{&endpointservice.EndpointDiscoveryService_ServiceDesc, resourcev3.EndpointType},
	{&listenerservice.ListenerDiscoveryService_ServiceDesc, resourcev3.ListenerType},
	{&routeservice.RouteDiscoveryService_ServiceDesc, resourcev3.RouteType},
	{&routeservice.ScopedRoutesDiscoveryService_ServiceDesc, resourcev3.ScopedRouteType},
	{&routeservice.VirtualHostDiscoveryService_ServiceDesc, resourcev3.VirtualHostType},
	{&secretservice.SecretDiscoveryService_ServiceDesc, resourcev3.SecretType},
	{&runtimeservice.RuntimeDiscoveryService_ServiceDesc, resourcev3.RuntimeType},
	{&extensionservice.ExtensionConfigDiscoveryService_ServiceDesc, resourcev3.ExtensionConfigType},
}

// Register adds ADS, the per-type xDS services and grpc.health.v1, which says
// NOT_SERVING from the first moment until the registry is ready.
func (s *Server) Register(r grpc.ServiceRegistrar) {
	for _, service := range services {
		desc := *service.desc
		desc.HandlerType, desc.Methods, desc.Streams = (*any)(nil), nil, nil
		for _, stream := range service.desc.Streams {
			delta := strings.HasPrefix(stream.StreamName, "Delta")
			stream.Handler = func(_ any, ss grpc.ServerStream) error { return s.ServeStream(service.typeURL, delta, ss) }
			desc.Streams = append(desc.Streams, stream)
		}
		r.RegisterService(&desc, s)
	}
	s.RegisterHealth(r)
}
