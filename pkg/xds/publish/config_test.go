package publish_test

import (
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	aggregatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/clusters/aggregate/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/xdsready/xdsready/pkg/cache"
)

// The messages that the tests are made of. A revision makes a message differ
// from another of the same name.

func ads() *corev3.ConfigSource {
	return &corev3.ConfigSource{ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}}}
}

func pack(tb testing.TB, m proto.Message) *anypb.Any {
	tb.Helper()
	packed, err := anypb.New(m)
	if err != nil {
		tb.Fatal(err)
	}
	return packed
}

func staticCluster(name string, revision int) *clusterv3.Cluster {
	return &clusterv3.Cluster{Name: name, ConnectTimeout: durationpb.New(time.Duration(1+revision) * time.Second)}
}

func edsCluster(name, service string, revision int) *clusterv3.Cluster {
	c := staticCluster(name, revision)
	c.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS}
	c.EdsClusterConfig = &clusterv3.Cluster_EdsClusterConfig{EdsConfig: ads(), ServiceName: service}
	return c
}

func healthChecked(c *clusterv3.Cluster) *clusterv3.Cluster {
	c.HealthChecks = []*corev3.HealthCheck{{Timeout: durationpb.New(time.Second)}}
	return c
}

func aggregateCluster(tb testing.TB, name string, revision int, members ...string) *clusterv3.Cluster {
	tb.Helper()
	c := staticCluster(name, revision)
	c.ClusterDiscoveryType = &clusterv3.Cluster_ClusterType{ClusterType: &clusterv3.Cluster_CustomClusterType{
		Name: "envoy.clusters.aggregate", TypedConfig: pack(tb, &aggregatev3.ClusterConfig{Clusters: members}),
	}}
	return c
}

func withSecret(tb testing.TB, c *clusterv3.Cluster, secret string) *clusterv3.Cluster {
	tb.Helper()
	c.TransportSocket = &corev3.TransportSocket{
		Name: "tls",
		ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: pack(tb, &tlsv3.UpstreamTlsContext{
			CommonTlsContext: &tlsv3.CommonTlsContext{
				TlsCertificateSdsSecretConfigs: []*tlsv3.SdsSecretConfig{{Name: secret, SdsConfig: ads()}},
			},
		})},
	}
	return c
}

func secret(name string, revision int) *tlsv3.Secret {
	return &tlsv3.Secret{Name: name, Type: &tlsv3.Secret_TlsCertificate{TlsCertificate: &tlsv3.TlsCertificate{
		PrivateKey: &corev3.DataSource{Specifier: &corev3.DataSource_InlineBytes{InlineBytes: []byte{byte(revision)}}},
	}}}
}

func assignment(name string, revision int) *endpointv3.ClusterLoadAssignment {
	return &endpointv3.ClusterLoadAssignment{ClusterName: name, Endpoints: []*endpointv3.LocalityLbEndpoints{{Priority: uint32(revision)}}}
}

// table has one route for each pair of a path and a cluster.
func table(name string, pairs ...string) *routev3.RouteConfiguration {
	host := &routev3.VirtualHost{Name: "host", Domains: []string{"*"}}
	for i := 0; i+1 < len(pairs); i += 2 {
		host.Routes = append(host.Routes, &routev3.Route{
			Match:  &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Path{Path: pairs[i]}},
			Action: &routev3.Route_Route{Route: &routev3.RouteAction{ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: pairs[i+1]}}},
		})
	}
	return &routev3.RouteConfiguration{Name: name, VirtualHosts: []*routev3.VirtualHost{host}}
}

// overriding gives the table's host its own config of an HTTP filter.
func overriding(tb testing.TB, t *routev3.RouteConfiguration, filter string) *routev3.RouteConfiguration {
	tb.Helper()
	t.VirtualHosts[0].TypedPerFilterConfig = map[string]*anypb.Any{filter: pack(tb, &routev3.FilterConfig{Disabled: true})}
	return t
}

func listener(tb testing.TB, name string, filter proto.Message) *listenerv3.Listener {
	tb.Helper()
	return &listenerv3.Listener{Name: name, FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{{
		Name: "filter", ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: pack(tb, filter)},
	}}}}}
}

func rdsListener(tb testing.TB, name, table string, filters ...string) *listenerv3.Listener {
	tb.Helper()
	return listener(tb, name, &hcmv3.HttpConnectionManager{
		HttpFilters:    httpFilters(filters),
		RouteSpecifier: &hcmv3.HttpConnectionManager_Rds{Rds: &hcmv3.Rds{RouteConfigName: table, ConfigSource: ads()}},
	})
}

func inlineListener(tb testing.TB, name string, table *routev3.RouteConfiguration) *listenerv3.Listener {
	tb.Helper()
	return listener(tb, name, &hcmv3.HttpConnectionManager{
		RouteSpecifier: &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: table},
	})
}

func tcpListener(tb testing.TB, name, cluster string) *listenerv3.Listener {
	tb.Helper()
	return listener(tb, name, &tcpv3.TcpProxy{ClusterSpecifier: &tcpv3.TcpProxy_Cluster{Cluster: cluster}})
}

func httpFilters(names []string) []*hcmv3.HttpFilter {
	var filters []*hcmv3.HttpFilter
	for _, name := range names {
		filters = append(filters, &hcmv3.HttpFilter{Name: name})
	}
	return filters
}

func resource(tb testing.TB, m proto.Message) cache.Resource {
	tb.Helper()
	r, err := cache.NewResource(m)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func snapshotOf(tb testing.TB, resources []cache.Resource) *cache.Snapshot {
	tb.Helper()
	s, err := cache.Build(resources, cache.Options{AfterInputs: true})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func snapshot(tb testing.TB, messages ...proto.Message) *cache.Snapshot {
	tb.Helper()
	return snapshotOf(tb, resources(tb, messages...))
}

func resources(tb testing.TB, messages ...proto.Message) []cache.Resource {
	tb.Helper()
	var all []cache.Resource
	for _, m := range messages {
		all = append(all, resource(tb, m))
	}
	return all
}
