package xds_test

import (
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	runtimev3 "github.com/envoyproxy/go-control-plane/envoy/service/runtime/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// staticCluster needs no load assignment.
func staticCluster(name string) *clusterv3.Cluster {
	return &clusterv3.Cluster{Name: name, ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC}}
}

// endpointsAt is a load assignment that differs with the weight.
func endpointsAt(name string, weight uint32) *endpointv3.ClusterLoadAssignment {
	return &endpointv3.ClusterLoadAssignment{ClusterName: name, Endpoints: []*endpointv3.LocalityLbEndpoints{
		{LoadBalancingWeight: wrapperspb.UInt32(weight)},
	}}
}

func secret(name string) *tlsv3.Secret {
	return &tlsv3.Secret{Name: name, Type: &tlsv3.Secret_GenericSecret{GenericSecret: &tlsv3.GenericSecret{
		Secret: &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: "sesame"}},
	}}}
}

// routeTable has a virtual host without routes for each domain.
func routeTable(name string, domains ...string) *routev3.RouteConfiguration {
	table := &routev3.RouteConfiguration{Name: name}
	for _, domain := range domains {
		table.VirtualHosts = append(table.VirtualHosts, virtualHost(domain))
	}
	return table
}

// routesTo is the route table "table" with one route.
func routesTo(cluster string) *routev3.RouteConfiguration {
	host := virtualHost("*")
	host.Routes = []*routev3.Route{{
		Match:  &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}},
		Action: &routev3.Route_Route{Route: &routev3.RouteAction{ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: cluster}}},
	}}
	return &routev3.RouteConfiguration{Name: "table", VirtualHosts: []*routev3.VirtualHost{host}}
}

func virtualHost(domain string) *routev3.VirtualHost {
	return &routev3.VirtualHost{Name: domain, Domains: []string{domain}}
}

func scopedRoute(name, table string) *routev3.ScopedRouteConfiguration {
	return &routev3.ScopedRouteConfiguration{Name: name, RouteConfigurationName: table}
}

func listener(name string) *listenerv3.Listener { return &listenerv3.Listener{Name: name} }

func extension(name string) *corev3.TypedExtensionConfig {
	return &corev3.TypedExtensionConfig{Name: name, TypedConfig: &anypb.Any{TypeUrl: "type.googleapis.com/google.protobuf.Empty"}}
}

func runtimeLayer(name string) *runtimev3.Runtime {
	return &runtimev3.Runtime{Name: name, Layer: &structpb.Struct{Fields: map[string]*structpb.Value{
		"a.flag": structpb.NewBoolValue(true),
	}}}
}
