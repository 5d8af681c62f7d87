package cache

import (
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// rule says what a string field, or a list of strings, names.
type rule struct {
	typeURL string
	// source is the sibling field whose ConfigSource says where a proxy fetches
	// what is named. Empty: it needs no source of its own.
	source protoreflect.Name
}

var namesCluster = rule{typeURL: resourcev3.ClusterType}

// rules has one row for each field that names a resource, wherever in a
// resource it is met. Rows go by name, so that a filter's package need not be
// linked for its row to stand here; a test holds them against all types of the
// Envoy module that the program is built with. The load assignment of a cluster
// is the one reference that has no row: see addEndpoints.
var rules = map[protoreflect.FullName]rule{
	"envoy.config.route.v3.RouteAction.cluster":                                   namesCluster,
	"envoy.config.route.v3.RouteAction.RequestMirrorPolicy.cluster":               namesCluster,
	"envoy.config.route.v3.WeightedCluster.ClusterWeight.name":                    namesCluster,
	"envoy.extensions.router.cluster_specifiers.lua.v3.LuaConfig.default_cluster": namesCluster,
	"envoy.extensions.router.cluster_specifiers.matcher.v3.ClusterAction.cluster": namesCluster,

	// Clusters of clusters.
	"envoy.extensions.clusters.aggregate.v3.ClusterConfig.clusters":                     namesCluster,
	"envoy.extensions.clusters.composite.v3.ClusterConfig.ClusterEntry.name":            namesCluster,
	"envoy.extensions.clusters.mcp_multicluster.v3.ClusterConfig.McpCluster.cluster":    namesCluster,
	"envoy.extensions.filters.http.mcp_router.v3.McpRouter.McpCluster.cluster":          namesCluster,
	"envoy.extensions.filters.http.cache_v2.v3.CacheV2Config.override_upstream_cluster": namesCluster,

	// Network and UDP filters.
	"envoy.data.dns.v3.DnsTable.DnsEndpoint.cluster_name":                                                       namesCluster,
	"envoy.data.dns.v3.DnsTable.DnsServiceTarget.cluster_name":                                                  namesCluster,
	"envoy.extensions.filters.network.dubbo_proxy.v3.RouteAction.cluster":                                       namesCluster,
	"envoy.extensions.filters.network.generic_proxy.action.v3.RouteAction.cluster":                              namesCluster,
	"envoy.extensions.filters.network.redis_proxy.v3.RedisProxy.PrefixRoutes.Route.cluster":                     namesCluster,
	"envoy.extensions.filters.network.redis_proxy.v3.RedisProxy.PrefixRoutes.Route.ReadCommandPolicy.cluster":   namesCluster,
	"envoy.extensions.filters.network.redis_proxy.v3.RedisProxy.PrefixRoutes.Route.RequestMirrorPolicy.cluster": namesCluster,
	"envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.cluster":                                            namesCluster,
	"envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.WeightedCluster.ClusterWeight.name":                 namesCluster,
	"envoy.extensions.filters.network.thrift_proxy.v3.RouteAction.cluster":                                      namesCluster,
	"envoy.extensions.filters.network.thrift_proxy.v3.RouteAction.RequestMirrorPolicy.cluster":                  namesCluster,
	"envoy.extensions.filters.network.thrift_proxy.v3.WeightedCluster.ClusterWeight.name":                       namesCluster,
	"envoy.extensions.filters.udp.udp_proxy.v3.Route.cluster":                                                   namesCluster,
	"envoy.extensions.filters.udp.udp_proxy.v3.UdpProxyConfig.cluster":                                          namesCluster,

	// Services that filters, access logs and tracers call.
	"envoy.config.core.v3.GrpcService.EnvoyGrpc.cluster_name":                   namesCluster,
	"envoy.config.core.v3.HttpUri.cluster":                                      namesCluster,
	"envoy.config.trace.v3.DatadogConfig.collector_cluster":                     namesCluster,
	"envoy.config.trace.v3.LightstepConfig.collector_cluster":                   namesCluster,
	"envoy.config.trace.v3.ZipkinConfig.collector_cluster":                      namesCluster,
	"envoy.extensions.access_loggers.fluentd.v3.FluentdAccessLogConfig.cluster": namesCluster,
	"envoy.extensions.filters.http.gcp_authn.v3.GcpAuthnFilterConfig.cluster":   namesCluster,
	"envoy.extensions.tracers.fluentd.v3.FluentdConfig.cluster":                 namesCluster,

	"envoy.config.core.v3.EnvoyInternalAddress.server_listener_name":                    {typeURL: resourcev3.ListenerType},
	"envoy.extensions.filters.network.http_connection_manager.v3.Rds.route_config_name": {resourcev3.RouteType, "config_source"},
	// Its source is in the HttpConnectionManager, out of its sight.
	"envoy.config.route.v3.ScopedRouteConfiguration.route_configuration_name": {typeURL: resourcev3.RouteType},
	"envoy.extensions.transport_sockets.tls.v3.SdsSecretConfig.name":          {resourcev3.SecretType, "sds_config"},
}

const (
	headerNamesCluster = "a request header names the cluster"
	pluginNamesCluster = "a plugin chooses the cluster"
	clusterOnDemand    = "clusters are asked for on demand (ODCDS)"
	foreignRoutes      = "its routes are asked for as a type that no Resource can have"
	untypedFields      = "it holds a TypedStruct, whose fields have no types"
)

// unknowns has one row for each field by which a resource may need more than
// its own text tells.
var unknowns = map[protoreflect.FullName]string{
	"envoy.config.route.v3.RouteAction.cluster_header":                            headerNamesCluster,
	"envoy.config.route.v3.RouteAction.RequestMirrorPolicy.cluster_header":        "a request header names the mirror cluster",
	"envoy.config.route.v3.WeightedCluster.ClusterWeight.cluster_header":          headerNamesCluster,
	"envoy.extensions.filters.network.thrift_proxy.v3.RouteAction.cluster_header": headerNamesCluster,
	"envoy.config.route.v3.RouteAction.cluster_specifier_plugin":                  pluginNamesCluster,
	"envoy.config.route.v3.RouteAction.inline_cluster_specifier_plugin":           pluginNamesCluster,

	"envoy.config.endpoint.v3.LedsClusterLocalityConfig.leds_config":                                "endpoints of a locality come from a collection (LEDS)",
	"envoy.config.listener.v3.Listener.FcdsConfig.config_source":                                    "filter chains are asked for by the listener's name (FCDS)",
	"envoy.config.route.v3.Vhds.config_source":                                                      "virtual hosts are asked for on demand (VHDS)",
	"envoy.extensions.access_loggers.filters.process_ratelimit.v3.DynamicTokenBucket.config_source": "a token bucket is asked for, a type that no Resource can have",
	"envoy.extensions.clusters.aggregate.v3.AggregateClusterResource.config_source":                 "its clusters are asked for as a type that no Resource can have",
	"envoy.extensions.filters.http.on_demand.v3.OnDemandCds.source":                                 clusterOnDemand,
	"envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.OnDemand.odcds_config":                  clusterOnDemand,
	"envoy.extensions.filters.network.dubbo_proxy.v3.Drds.config_source":                            foreignRoutes,
	"envoy.extensions.filters.network.generic_proxy.v3.GenericRds.config_source":                    foreignRoutes,
	"envoy.extensions.filters.network.thrift_proxy.v3.Trds.config_source":                           foreignRoutes,
	// The names that it fetches in advance hold nothing back, so they are no
	// reason to withhold it.
	"envoy.extensions.transport_sockets.tls.cert_selectors.on_demand_secret.v3.Config.config_source": "secrets are asked for during the handshake",

	"udpa.type.v1.TypedStruct.type_url": untypedFields,
	"xds.type.v3.TypedStruct.type_url":  untypedFields,
}

const (
	// extensionSource is the type of the field that makes an HTTP filter, network
	// filter or listener filter come by ECDS, under the name of the filter.
	extensionSource = "envoy.config.core.v3.ExtensionConfigSource"
	// httpFilterName is the name by which routes configure a filter for themselves,
	// and filterOverrides the field in which all levels of a route table do that.
	httpFilterName  = "envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter.name"
	filterOverrides = "typed_per_filter_config"
	// apiConfigSource names the clusters of a management server. Envoy takes only
	// clusters of its bootstrap there, so they are never ours.
	apiConfigSource = "envoy.config.core.v3.ApiConfigSource"
)
