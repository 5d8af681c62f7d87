package cache

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// floor is the version of the Envoy module in go.mod, and newerThanFloor are the
// rows whose types it does not have. At any other version all must be there.
const floor = "v1.32.4"

var newerThanFloor = []protoreflect.FullName{
	"envoy.config.listener.v3.Listener.FcdsConfig.config_source",
	"envoy.extensions.access_loggers.filters.process_ratelimit.v3.DynamicTokenBucket.config_source",
	"envoy.extensions.clusters.aggregate.v3.AggregateClusterResource.config_source",
	"envoy.extensions.clusters.composite.v3.ClusterConfig.ClusterEntry.name",
	"envoy.extensions.clusters.mcp_multicluster.v3.ClusterConfig.McpCluster.cluster",
	"envoy.extensions.filters.http.cache_v2.v3.CacheV2Config.override_upstream_cluster",
	"envoy.extensions.filters.http.mcp_router.v3.McpRouter.McpCluster.cluster",
	"envoy.extensions.router.cluster_specifiers.matcher.v3.ClusterAction.cluster",
	"envoy.extensions.tracers.fluentd.v3.FluentdConfig.cluster",
	"envoy.extensions.transport_sockets.tls.cert_selectors.on_demand_secret.v3.Config.config_source",
}

// suspicious matches a field, after the name of its message, that looks as if
// it named a cluster, listener, route table or secret.
var suspicious = regexp.MustCompile(`[.][a-z_]*(cluster|listener|route|secret)[a-z_]*$|(Cluster|Listener|Route|Rds|Secret)[A-Za-z]*[.]names?$`)

// noPartOfResources are messages that no resource holds, by prefix.
var noPartOfResources = map[string]string{
	"envoy.admin.":              "answers of the admin interface",
	"envoy.config.bootstrap.":   "the bootstrap",
	"envoy.config.metrics.":     "statistics sinks are in the bootstrap",
	"envoy.data.accesslog.":     "what access logs send",
	"envoy.data.cluster.":       "what the event log holds",
	"envoy.data.core.":          "what the event log holds",
	"envoy.service.health.":     "the protocol itself",
	"envoy.service.load_stats.": "load reports",
}

// notReferences are the other fields that look like references, with what they
// are instead.
var notReferences = map[protoreflect.FullName]string{
	"envoy.config.cluster.v3.Cluster.name":                                                                   "its own name",
	"envoy.config.endpoint.v3.ClusterLoadAssignment.cluster_name":                                            "its own name",
	"envoy.config.listener.v3.Listener.name":                                                                 "its own name",
	"envoy.config.listener.v3.ListenerFilter.name":                                                           "its own name",
	"envoy.config.route.v3.Route.name":                                                                       "its own name",
	"envoy.config.route.v3.RouteConfiguration.name":                                                          "its own name",
	"envoy.config.route.v3.ScopedRouteConfiguration.name":                                                    "its own name",
	"envoy.config.route.v3.VirtualCluster.name":                                                              "its own name, in statistics",
	"envoy.extensions.filters.network.dubbo_proxy.v3.MultipleRouteConfiguration.name":                        "its own name",
	"envoy.extensions.filters.network.dubbo_proxy.v3.RouteConfiguration.name":                                "its own name",
	"envoy.extensions.filters.network.generic_proxy.action.v3.RouteAction.name":                              "its own name",
	"envoy.extensions.filters.network.generic_proxy.v3.RouteConfiguration.name":                              "its own name",
	"envoy.extensions.filters.network.http_connection_manager.v3.ScopedRoutes.name":                          "its own name",
	"envoy.extensions.filters.network.thrift_proxy.v3.RouteConfiguration.name":                               "its own name",
	"envoy.extensions.transport_sockets.tls.v3.Secret.name":                                                  "its own name",
	"envoy.config.cluster.v3.Cluster.CustomClusterType.name":                                                 "an extension",
	"envoy.extensions.clusters.dynamic_modules.v3.ClusterConfig.cluster_name":                                "an implementation in the module",
	"envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilterPerRoute.filter_name":               "an implementation in the module",
	"envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilterPerRoute.per_route_config_name":     "an implementation in the module",
	"envoy.config.core.v3.ApiConfigSource.cluster_names":                                                     "Envoy takes only clusters of its bootstrap",
	"envoy.config.core.v3.Node.cluster":                                                                      "who the proxy is",
	"envoy.config.endpoint.v3.ClusterStats.cluster_name":                                                     "load reports",
	"envoy.config.endpoint.v3.ClusterStats.cluster_service_name":                                             "load reports",
	"envoy.extensions.common.aws.v3.InlineCredentialProvider.secret_access_key":                              "the secret itself",
	"envoy.extensions.filters.http.aws_lambda.v3.Credentials.secret_access_key":                              "the secret itself",
	"envoy.extensions.filters.http.ext_authz.v3.ExtAuthz.route_metadata_context_namespaces":                  "metadata",
	"envoy.extensions.filters.http.ext_authz.v3.ExtAuthz.route_typed_metadata_context_namespaces":            "metadata",
	"envoy.extensions.filters.http.lua.v3.LuaPerRoute.name":                                                  "a script of the filter",
	"envoy.extensions.filters.http.fault.v3.HTTPFault.upstream_cluster":                                      "a condition",
	"envoy.extensions.filters.network.dubbo_proxy.v3.Drds.route_config_name":                                 "of a type that no Resource can have",
	"envoy.extensions.filters.network.generic_proxy.v3.GenericRds.route_config_name":                         "of a type that no Resource can have",
	"envoy.extensions.filters.network.reverse_tunnel.v3.ReverseTunnel.required_cluster_name":                 "a condition on the peer",
	"envoy.extensions.filters.network.reverse_tunnel.v3.Validation.cluster_id_format":                        "a condition on the peer",
	"envoy.extensions.filters.network.thrift_proxy.v3.Trds.route_config_name":                                "of a type that no Resource can have",
	"envoy.extensions.internal_redirect.allow_listed_routes.v3.AllowListedRoutesConfig.allowed_route_names":  "a condition",
	"envoy.extensions.transport_sockets.tls.cert_selectors.on_demand_secret.v3.Config.prefetch_secret_names": "see the row of its config_source",
}

// notSources are the ConfigSources that neither belong to a named reference nor
// are unknowable.
var notSources = map[protoreflect.FullName]string{
	"envoy.config.cluster.v3.Cluster.EdsClusterConfig.eds_config":                                    "addEndpoints reads it",
	"envoy.config.cluster.v3.Cluster.lrs_server":                                                     "load reports go there, nothing comes",
	"envoy.config.core.v3.ExtensionConfigSource.config_source":                                       "addField reads it",
	"envoy.extensions.filters.network.http_connection_manager.v3.ScopedRds.scoped_rds_config_source": "it fetches all scoped routes, without a name",
	"envoy.extensions.filters.network.http_connection_manager.v3.ScopedRoutes.rds_config_source":     "the route tables are named by the scoped routes",
}

// findField returns a field of a generated message, nil if there is none.
func findField(name protoreflect.FullName) protoreflect.FieldDescriptor {
	messages, _ := generated()
	if m, ok := messages[name.Parent()]; ok {
		return m.Fields().ByName(name.Name())
	}
	return nil
}

func isA(field protoreflect.FieldDescriptor, message protoreflect.FullName) bool {
	return field != nil && field.Message() != nil && field.Message().FullName() == message
}

const configSource = "envoy.config.core.v3.ConfigSource"

func TestRowsNameRealFields(t *testing.T) {
	var missing []protoreflect.FullName
	for name, rule := range rules {
		field := findField(name)
		switch {
		case field == nil:
			missing = append(missing, name)
		case field.Kind() != protoreflect.StringKind:
			t.Errorf("%s is a %v: only strings name something", name, field.Kind())
		case rule.source != "" && !isA(field.ContainingMessage().Fields().ByName(rule.source), configSource):
			t.Errorf("%s: its sibling %s is no ConfigSource", name, rule.source)
		}
	}
	for name := range unknowns {
		if findField(name) == nil {
			missing = append(missing, name)
		}
	}
	slices.Sort(missing)
	var want []protoreflect.FullName
	if _, version := generated(); version == floor {
		want = newerThanFloor
	}
	if diff := cmp.Diff(want, missing); diff != "" {
		t.Errorf("rows without a field (-want +got):\n%s", diff)
	}
}

// TestEveryFieldIsJudged fails when Envoy gets a field that looks like a
// reference, or like the source of one, and that nobody has thought about.
func TestEveryFieldIsJudged(t *testing.T) {
	v2 := regexp.MustCompile(`[.]v2(alpha\d?)?[.]`) // Envoy takes none since 1.18
	messages, version := generated()
	seen := make(map[protoreflect.FullName]bool)
	for name, message := range messages {
		if v2.MatchString(string(name)) || message.IsMapEntry() || isNoPartOfResources(name) {
			continue
		}
		for i := range message.Fields().Len() {
			field := message.Fields().Get(i)
			seen[field.FullName()] = true
			judge(t, field)
		}
	}
	for _, exceptions := range []map[protoreflect.FullName]string{notReferences, notSources} {
		for name := range exceptions {
			if _, isRule := rules[name]; isRule {
				t.Errorf("%s has a row in rules and is an exception", name)
			}
			if !seen[name] && version != floor {
				t.Errorf("%s is an exception, and no field", name)
			}
		}
	}
	if len(seen) < 3000 {
		t.Errorf("only %d fields were looked at: this test shows nothing", len(seen))
	}
}

func isNoPartOfResources(message protoreflect.FullName) bool {
	for prefix := range noPartOfResources {
		if strings.HasPrefix(string(message), prefix) {
			return true
		}
	}
	return false
}

func judge(t *testing.T, field protoreflect.FieldDescriptor) {
	t.Helper()
	name := field.FullName()
	_, isUnknown := unknowns[name]
	switch {
	case field.Kind() == protoreflect.StringKind && suspicious.MatchString(string(name)):
		_, isRule := rules[name]
		if !isRule && !isUnknown && notReferences[name] == "" {
			t.Errorf("%s looks like a reference: give it a row in rules, or say in notReferences what it is", name)
		}
	case isA(field, configSource):
		if !isUnknown && notSources[name] == "" && !isSourceOfRule(field) {
			t.Errorf("%s is fetched: give it a row in rules or unknowns, or say in notSources why not", name)
		}
	case isA(field, extensionSource):
		if findField(name.Parent().Append("name")) == nil {
			t.Errorf("%s has no sibling name, so addField cannot tell what is fetched", name)
		}
	}
}

// isSourceOfRule reports whether a sibling's row in rules has field as source.
func isSourceOfRule(field protoreflect.FieldDescriptor) bool {
	siblings := field.ContainingMessage().Fields()
	for i := range siblings.Len() {
		if rules[siblings.Get(i).FullName()].source == field.Name() {
			return true
		}
	}
	return false
}
