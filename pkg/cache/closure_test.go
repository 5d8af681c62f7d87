package cache

import (
	"testing"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	ratelimitv3 "github.com/envoyproxy/go-control-plane/envoy/config/ratelimit/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	grpclogv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/grpc/v3"
	aggregatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/clusters/aggregate/v3"
	extauthzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	httpratelimitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ratelimit/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/anypb"
)

// referencesOf returns what m needs and why that may not be all, as text.
// "maybe" is what may come from another server.
func referencesOf(t *testing.T, m proto.Message) (needs, unknown []string) {
	t.Helper()
	r := resource(t, m)
	for _, target := range r.references.targets {
		line := Kind(target.typeURL) + " " + target.name
		if target.maybeElsewhere {
			line = "maybe " + line
		}
		needs = append(needs, line)
	}
	return needs, r.references.unknown
}

type referenceRow struct {
	name    string
	message proto.Message
	needs   []string
	unknown []string
}

func testReferences(t *testing.T, rows []referenceRow) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			needs, unknown := referencesOf(t, row.message)
			if diff := cmp.Diff(row.needs, needs); diff != "" {
				t.Errorf("needs (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(row.unknown, unknown); diff != "" {
				t.Errorf("unknown (-want +got):\n%s", diff)
			}
		})
	}
}

func httpFilter(t *testing.T, config proto.Message) *hcmv3.HttpFilter {
	t.Helper()
	return &hcmv3.HttpFilter{Name: "filter", ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: pack(t, config)}}
}

func extAuthz(cluster string) *extauthzv3.ExtAuthz {
	return &extauthzv3.ExtAuthz{Services: &extauthzv3.ExtAuthz_GrpcService{GrpcService: grpcService(cluster)}}
}

func grpcAccessLog(t *testing.T, cluster string) *accesslogv3.AccessLog {
	t.Helper()
	return &accesslogv3.AccessLog{Name: "log", ConfigType: &accesslogv3.AccessLog_TypedConfig{
		TypedConfig: pack(t, &grpclogv3.HttpGrpcAccessLogConfig{
			CommonConfig: &grpclogv3.CommonGrpcAccessLogConfig{LogName: "log", GrpcService: grpcService(cluster)},
		}),
	}}
}

func extension(source *corev3.ConfigSource) *corev3.ExtensionConfigSource {
	return &corev3.ExtensionConfigSource{ConfigSource: source, TypeUrls: []string{"x"}}
}

func TestReferencesOfListeners(t *testing.T) {
	inline := &hcmv3.HttpConnectionManager{RouteSpecifier: &hcmv3.HttpConnectionManager_RouteConfig{
		RouteConfig: routeTable("inline", toCluster("a")),
	}}
	scoped := &hcmv3.HttpConnectionManager{RouteSpecifier: &hcmv3.HttpConnectionManager_ScopedRoutes{
		ScopedRoutes: &hcmv3.ScopedRoutes{ConfigSpecifier: &hcmv3.ScopedRoutes_ScopedRouteConfigurationsList{
			ScopedRouteConfigurationsList: &hcmv3.ScopedRouteConfigurationsList{
				ScopedRouteConfigurations: []*routev3.ScopedRouteConfiguration{{Name: "s", RouteConfigurationName: "r"}},
			},
		}},
	}}
	filters := &hcmv3.HttpConnectionManager{
		HttpFilters: []*hcmv3.HttpFilter{
			httpFilter(t, extAuthz("authz")),
			httpFilter(t, &httpratelimitv3.RateLimit{RateLimitService: &ratelimitv3.RateLimitServiceConfig{GrpcService: grpcService("limits")}}),
			{Name: "dynamic", ConfigType: &hcmv3.HttpFilter_ConfigDiscovery{ConfigDiscovery: extension(ads())}},
		},
		AccessLog: []*accesslogv3.AccessLog{grpcAccessLog(t, "log")},
	}
	weighted := &tcpv3.TcpProxy{ClusterSpecifier: &tcpv3.TcpProxy_WeightedClusters{
		WeightedClusters: &tcpv3.TcpProxy_WeightedCluster{Clusters: []*tcpv3.TcpProxy_WeightedCluster_ClusterWeight{{Name: "b"}, {Name: "a"}}},
	}}
	dynamic := listener(t, "l", &tcpv3.TcpProxy{})
	dynamic.ListenerFilters = []*listenerv3.ListenerFilter{{
		Name: "inspect", ConfigType: &listenerv3.ListenerFilter_ConfigDiscovery{ConfigDiscovery: extension(ads())},
	}}
	dynamic.FilterChains[0].Filters = []*listenerv3.Filter{{
		Name: "network", ConfigType: &listenerv3.Filter_ConfigDiscovery{ConfigDiscovery: extension(api())},
	}}
	secured := listener(t, "l", &tcpv3.TcpProxy{ClusterSpecifier: &tcpv3.TcpProxy_Cluster{Cluster: "a"}})
	secured.FilterChains[0].TransportSocket = &corev3.TransportSocket{ConfigType: &corev3.TransportSocket_TypedConfig{
		TypedConfig: pack(t, &tlsv3.DownstreamTlsContext{CommonTlsContext: &tlsv3.CommonTlsContext{
			TlsCertificateSdsSecretConfigs: []*tlsv3.SdsSecretConfig{{Name: "cert", SdsConfig: ads()}},
			ValidationContextType: &tlsv3.CommonTlsContext_CombinedValidationContext{
				CombinedValidationContext: &tlsv3.CommonTlsContext_CombinedCertificateValidationContext{
					ValidationContextSdsSecretConfig: &tlsv3.SdsSecretConfig{Name: "ca", SdsConfig: ads()},
				},
			},
		}}),
	}}
	fallback := &listenerv3.Listener{Name: "l", DefaultFilterChain: listener(t, "l", rds("r", ads())).FilterChains[0]}
	logs := &listenerv3.Listener{Name: "l", AccessLog: []*accesslogv3.AccessLog{grpcAccessLog(t, "log")}}

	testReferences(t, []referenceRow{
		{"a route table over ADS", listener(t, "l", rds("r", ads())), []string{"route table r"}, nil},
		{"a route table of a default filter chain", fallback, []string{"route table r"}, nil},
		{"a route table from a management server", listener(t, "l", rds("r", api())), []string{"maybe route table r"}, nil},
		{"a route table in a file is the proxy's own", listener(t, "l", rds("r", file())), nil, nil},
		{"an inline route table", listener(t, "l", inline), []string{"cluster a"}, nil},
		{"route tables of inline scoped routes", listener(t, "l", scoped), []string{"route table r"}, nil},
		{"a TCP proxy", listener(t, "l", &tcpv3.TcpProxy{ClusterSpecifier: &tcpv3.TcpProxy_Cluster{Cluster: "a"}}), []string{"cluster a"}, nil},
		{"a TCP proxy with weights", listener(t, "l", weighted), []string{"cluster a", "cluster b"}, nil},
		{
			"HTTP filters and an access log, each in an Any in an Any", listener(t, "l", filters),
			[]string{"cluster authz", "cluster limits", "cluster log", "extension config dynamic"}, nil,
		},
		{"an access log of the listener", logs, []string{"cluster log"}, nil},
		{
			"listener and network filters by ECDS", dynamic,
			[]string{"extension config inspect", "maybe extension config network"}, nil,
		},
		{"secrets of a filter chain", secured, []string{"cluster a", "secret ca", "secret cert"}, nil},
		{"clusters on demand", listener(t, "l", &tcpv3.TcpProxy{
			OnDemand: &tcpv3.TcpProxy_OnDemand{OdcdsConfig: ads()},
		}), nil, []string{clusterOnDemand}},
	})
}

func TestReferencesOfRoutes(t *testing.T) {
	weights := func(weights ...*routev3.WeightedCluster_ClusterWeight) *routev3.RouteAction {
		return &routev3.RouteAction{ClusterSpecifier: &routev3.RouteAction_WeightedClusters{
			WeightedClusters: &routev3.WeightedCluster{Clusters: weights},
		}}
	}
	mirrored := toCluster("a")
	mirrored.RequestMirrorPolicies = []*routev3.RouteAction_RequestMirrorPolicy{{Cluster: "m"}, {ClusterHeader: "x-mirror"}}
	perRoute := routeTable("r", toCluster("a"))
	perRoute.TypedPerFilterConfig = map[string]*anypb.Any{"table": pack(t, extAuthz("per-table"))}
	perRoute.VirtualHosts[0].TypedPerFilterConfig = map[string]*anypb.Any{"host": pack(t, extAuthz("per-host"))}
	perRoute.VirtualHosts[0].Routes[0].TypedPerFilterConfig = map[string]*anypb.Any{
		"route": pack(t, &routev3.FilterConfig{Config: pack(t, extAuthz("per-route"))}),
	}
	vhds := &routev3.RouteConfiguration{Name: "r", Vhds: &routev3.Vhds{ConfigSource: ads()}}
	plugin := &routev3.RouteAction{ClusterSpecifier: &routev3.RouteAction_ClusterSpecifierPlugin{ClusterSpecifierPlugin: "p"}}
	byHeader := &routev3.RouteAction{ClusterSpecifier: &routev3.RouteAction_ClusterHeader{ClusterHeader: "x-cluster"}}
	host := routeTable("r", toCluster("a")).GetVirtualHosts()[0]
	host.Name = "r/host"

	testReferences(t, []referenceRow{
		{"a cluster", routeTable("r", toCluster("a")), []string{"cluster a"}, nil},
		{"one cluster of many routes counts once", routeTable("r", toCluster("b"), toCluster("a"), toCluster("b")), []string{"cluster a", "cluster b"}, nil},
		{
			"weighted clusters", routeTable("r", weights(&routev3.WeightedCluster_ClusterWeight{Name: "b"}, &routev3.WeightedCluster_ClusterWeight{Name: "a"})),
			[]string{"cluster a", "cluster b"}, nil,
		},
		{
			"a weighted cluster by header", routeTable("r", weights(&routev3.WeightedCluster_ClusterWeight{ClusterHeader: "x"})),
			nil, []string{headerNamesCluster},
		},
		{"mirrors, by name and by header", routeTable("r", mirrored), []string{"cluster a", "cluster m"}, []string{"a request header names the mirror cluster"}},
		{"a cluster header", routeTable("r", byHeader, byHeader), nil, []string{headerNamesCluster}},
		{"a cluster specifier plugin", routeTable("r", plugin), nil, []string{pluginNamesCluster}},
		{
			"filter configs per table, host and route", perRoute,
			[]string{"cluster a", "cluster per-host", "cluster per-route", "cluster per-table"}, nil,
		},
		{"a route table whose hosts come by VHDS", vhds, nil, []string{"virtual hosts are asked for on demand (VHDS)"}},
		{"a virtual host for VHDS", host, []string{"cluster a"}, nil},
		{"a scoped route", &routev3.ScopedRouteConfiguration{Name: "s", RouteConfigurationName: "r"}, []string{"route table r"}, nil},
		{
			"an extension config for ECDS", &corev3.TypedExtensionConfig{Name: "x", TypedConfig: pack(t, extAuthz("authz"))},
			[]string{"cluster authz"}, nil,
		},
	})
}

func TestReferencesOfClusters(t *testing.T) {
	ofType := func(kind clusterv3.Cluster_DiscoveryType) *clusterv3.Cluster {
		c := edsCluster("c", "service")
		c.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: kind}
		return c
	}
	eds := func(source *corev3.ConfigSource) *clusterv3.Cluster {
		c := edsCluster("c", "")
		c.EdsClusterConfig.EdsConfig = source
		return c
	}
	self := &corev3.ConfigSource{ConfigSourceSpecifier: &corev3.ConfigSource_Self{Self: &corev3.SelfConfigSource{}}}
	matches := &clusterv3.Cluster{Name: "c", TransportSocketMatches: []*clusterv3.Cluster_TransportSocketMatch{
		{Name: "m1", TransportSocket: tlsSocket(t, "s1", ads())},
		{Name: "m2", TransportSocket: tlsSocket(t, "s2", ads())},
	}}
	bothWays := tlsCluster(t, "c", "tls", api())
	bothWays.TransportSocketMatches = []*clusterv3.Cluster_TransportSocketMatch{{TransportSocket: tlsSocket(t, "tls", ads())}}
	aggregate := &clusterv3.Cluster{Name: "c", ClusterDiscoveryType: &clusterv3.Cluster_ClusterType{
		ClusterType: &clusterv3.Cluster_CustomClusterType{TypedConfig: pack(t, &aggregatev3.ClusterConfig{Clusters: []string{"b", "a"}})},
	}}
	leds := &endpointv3.ClusterLoadAssignment{ClusterName: "c", Endpoints: []*endpointv3.LocalityLbEndpoints{{
		LbConfig: &endpointv3.LocalityLbEndpoints_LedsClusterLocalityConfig{
			LedsClusterLocalityConfig: &endpointv3.LedsClusterLocalityConfig{LedsConfig: ads(), LedsCollectionName: "x"},
		},
	}}}

	testReferences(t, []referenceRow{
		{"EDS by the cluster's own name", edsCluster("c", ""), []string{"load assignment c"}, nil},
		{"EDS by service name", edsCluster("c", "service"), []string{"load assignment service"}, nil},
		{"EDS from the server of the cluster", eds(self), []string{"load assignment c"}, nil},
		{"EDS from a management server, whose own cluster is static", eds(api()), []string{"maybe load assignment c"}, nil},
		{"EDS from a file is the proxy's own", eds(file()), nil, nil},
		{"EDS without a source is Envoy's to reject", eds(nil), nil, nil},
		{"EDS without any config is Envoy's to reject", &clusterv3.Cluster{
			Name: "c", ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS},
		}, nil, nil},
		{"a STATIC cluster with an idle EDS config", ofType(clusterv3.Cluster_STATIC), nil, nil},
		{"a STRICT_DNS cluster with an idle EDS config", ofType(clusterv3.Cluster_STRICT_DNS), nil, nil},
		{"a LOGICAL_DNS cluster with an idle EDS config", ofType(clusterv3.Cluster_LOGICAL_DNS), nil, nil},
		{"an ORIGINAL_DST cluster with an idle EDS config", ofType(clusterv3.Cluster_ORIGINAL_DST), nil, nil},
		{"an aggregate of clusters", aggregate, []string{"cluster a", "cluster b"}, nil},
		{"a secret of the transport socket", tlsCluster(t, "c", "tls", ads()), []string{"secret tls"}, nil},
		{"secrets of transport socket matches", matches, []string{"secret s1", "secret s2"}, nil},
		{"a secret from a management server", tlsCluster(t, "c", "tls", api()), []string{"maybe secret tls"}, nil},
		{"a secret that comes both ways is ours", bothWays, []string{"secret tls"}, nil},
		{"a secret in a file is the proxy's own", tlsCluster(t, "c", "tls", file()), nil, nil},
		{"a secret without a source is in the bootstrap", tlsCluster(t, "c", "tls", nil), nil, nil},
		{"an endpoint that is an internal listener", internalAssignment("c", "inner"), []string{"listener inner"}, nil},
		{"endpoints by LEDS", leds, nil, []string{"endpoints of a locality come from a collection (LEDS)"}},
	})
}

func TestUnreadableIsUnknowable(t *testing.T) {
	untyped, err := protoregistry.GlobalTypes.FindMessageByName("xds.type.v3.TypedStruct")
	if err != nil {
		t.Fatal(err)
	}
	typed := untyped.New()
	typed.Set(typed.Descriptor().Fields().ByName("type_url"), protoreflect.ValueOfString("x"))
	testReferences(t, []referenceRow{
		{
			"a type that is not linked", &corev3.TypedExtensionConfig{Name: "x", TypedConfig: &anypb.Any{TypeUrl: "type.googleapis.com/no.Such"}},
			nil, []string{"it holds a no.Such, a type that is not linked into this program"},
		},
		{
			"a TypedStruct", &corev3.TypedExtensionConfig{Name: "x", TypedConfig: pack(t, typed.Interface())},
			nil, []string{untypedFields},
		},
	})
}
