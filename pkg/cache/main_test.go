package cache

import (
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The messages that most tests are made of.

func ads() *corev3.ConfigSource {
	return &corev3.ConfigSource{ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}}}
}

// api is a config source on a management server whose cluster is static.
func api() *corev3.ConfigSource {
	return &corev3.ConfigSource{ConfigSourceSpecifier: &corev3.ConfigSource_ApiConfigSource{
		ApiConfigSource: &corev3.ApiConfigSource{GrpcServices: []*corev3.GrpcService{grpcService("agent")}},
	}}
}

func file() *corev3.ConfigSource {
	return &corev3.ConfigSource{ConfigSourceSpecifier: &corev3.ConfigSource_PathConfigSource{
		PathConfigSource: &corev3.PathConfigSource{Path: "/etc/envoy/x.yaml"},
	}}
}

func grpcService(cluster string) *corev3.GrpcService {
	return &corev3.GrpcService{TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{
		EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{ClusterName: cluster},
	}}
}

func pack(tb testing.TB, m proto.Message) *anypb.Any {
	tb.Helper()
	packed, err := anypb.New(m)
	if err != nil {
		tb.Fatal(err)
	}
	return packed
}

func resource(tb testing.TB, m proto.Message) Resource {
	tb.Helper()
	r, err := NewResource(m)
	if err != nil {
		tb.Fatalf("NewResource(%s) = %v", m.ProtoReflect().Descriptor().Name(), err)
	}
	return r
}

func resources(tb testing.TB, messages ...proto.Message) []Resource {
	tb.Helper()
	var all []Resource
	for _, m := range messages {
		all = append(all, resource(tb, m))
	}
	return all
}

func build(tb testing.TB, o Options, messages ...proto.Message) *Snapshot {
	tb.Helper()
	s, err := Build(resources(tb, messages...), o)
	if err != nil {
		tb.Fatalf("Build = %v", err)
	}
	return s
}

func edsCluster(name, service string) *clusterv3.Cluster {
	return &clusterv3.Cluster{
		Name:                 name,
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS},
		EdsClusterConfig:     &clusterv3.Cluster_EdsClusterConfig{EdsConfig: ads(), ServiceName: service},
	}
}

func staticCluster(name string) *clusterv3.Cluster { return &clusterv3.Cluster{Name: name} }

// tlsCluster needs a secret, fetched from source.
func tlsCluster(tb testing.TB, name, secret string, source *corev3.ConfigSource) *clusterv3.Cluster {
	tb.Helper()
	return &clusterv3.Cluster{Name: name, TransportSocket: tlsSocket(tb, secret, source)}
}

func tlsSocket(tb testing.TB, secret string, source *corev3.ConfigSource) *corev3.TransportSocket {
	tb.Helper()
	upstream := &tlsv3.UpstreamTlsContext{CommonTlsContext: &tlsv3.CommonTlsContext{
		TlsCertificateSdsSecretConfigs: []*tlsv3.SdsSecretConfig{{Name: secret, SdsConfig: source}},
	}}
	return &corev3.TransportSocket{
		Name:       "tls",
		ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: pack(tb, upstream)},
	}
}

func assignment(name string) *endpointv3.ClusterLoadAssignment {
	return &endpointv3.ClusterLoadAssignment{ClusterName: name}
}

// internalAssignment has one endpoint, an internal listener.
func internalAssignment(name, listener string) *endpointv3.ClusterLoadAssignment {
	address := &corev3.Address{Address: &corev3.Address_EnvoyInternalAddress{EnvoyInternalAddress: &corev3.EnvoyInternalAddress{
		AddressNameSpecifier: &corev3.EnvoyInternalAddress_ServerListenerName{ServerListenerName: listener},
	}}}
	return &endpointv3.ClusterLoadAssignment{ClusterName: name, Endpoints: []*endpointv3.LocalityLbEndpoints{{
		LbEndpoints: []*endpointv3.LbEndpoint{{
			HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: address}},
		}},
	}}}
}

func secret(name, key string) *tlsv3.Secret {
	return &tlsv3.Secret{Name: name, Type: &tlsv3.Secret_TlsCertificate{TlsCertificate: &tlsv3.TlsCertificate{
		PrivateKey: &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: key}},
	}}}
}

func routeTable(name string, actions ...*routev3.RouteAction) *routev3.RouteConfiguration {
	host := &routev3.VirtualHost{Name: "host", Domains: []string{"*"}}
	for _, action := range actions {
		host.Routes = append(host.Routes, &routev3.Route{Action: &routev3.Route_Route{Route: action}})
	}
	return &routev3.RouteConfiguration{Name: name, VirtualHosts: []*routev3.VirtualHost{host}}
}

func toCluster(name string) *routev3.RouteAction {
	return &routev3.RouteAction{ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: name}}
}

// listener has one filter chain with one network filter.
func listener(tb testing.TB, name string, filter proto.Message) *listenerv3.Listener {
	tb.Helper()
	return &listenerv3.Listener{Name: name, FilterChains: []*listenerv3.FilterChain{{
		Filters: []*listenerv3.Filter{{
			Name:       "filter",
			ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: pack(tb, filter)},
		}},
	}}}
}

func rds(name string, source *corev3.ConfigSource) *hcmv3.HttpConnectionManager {
	return &hcmv3.HttpConnectionManager{RouteSpecifier: &hcmv3.HttpConnectionManager_Rds{
		Rds: &hcmv3.Rds{RouteConfigName: name, ConfigSource: source},
	}}
}
