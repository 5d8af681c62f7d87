package config

import (
	"encoding/json"
	"strconv"
)

// RevisionHeader is the header of each answer that has the revision of the route
// table that led to it.
const RevisionHeader = "x-revision"

// object is one of JSON.
type object = map[string]any

const types = "type.googleapis.com/envoy."

// File is the name of the team's file.
func (t Team) File() string { return "team-" + t.Name + ".json" }

// Render returns the team's file, in the format of Envoy's own file
// subscriptions; ports are those of the backends, by number.
// It is JSON, half of which is never taken for a whole.
func (t Team) Render(host string, ports []int) ([]byte, error) {
	resources := []object{t.listener(), t.routes()}
	for _, s := range t.Services {
		resources = append(resources, s.cluster(), s.endpoints(host, ports))
	}
	return json.Marshal(object{"resources": resources})
}

var ads = object{"ads": object{}, "resource_api_version": "V3"}

func (s Service) cluster() object {
	return object{
		"@type":           types + "config.cluster.v3.Cluster",
		"name":            s.Cluster(),
		"type":            "EDS",
		"connect_timeout": "10s",
		"eds_cluster_config": object{
			"eds_config": ads,
		},
	}
}

func (s Service) endpoints(host string, ports []int) object {
	var endpoints []object
	for _, backend := range s.Backends {
		endpoints = append(endpoints, object{"endpoint": object{"address": socket(host, ports[backend])}})
	}
	return object{
		"@type":        types + "config.endpoint.v3.ClusterLoadAssignment",
		"cluster_name": s.Cluster(),
		"endpoints":    []object{{"lb_endpoints": endpoints}},
	}
}

func socket(host string, port int) object {
	return object{"socket_address": object{"address": host, "port_value": port}}
}

// routes leads the path of each routed service to its cluster, and every other
// path to the first.
func (t Team) routes() object {
	var routes []object
	for _, s := range t.Services {
		if s.Routed {
			routes = append(routes, route("/"+s.Name, s.Cluster()))
		}
	}
	routes = append(routes, route("/", t.Services[0].Cluster()))
	return object{
		"@type":         types + "config.route.v3.RouteConfiguration",
		"name":          t.Name,
		"virtual_hosts": []object{{"name": "all", "domains": []string{"*"}, "routes": routes}},
		"response_headers_to_add": []object{{
			"header": object{"key": RevisionHeader, "value": strconv.Itoa(t.Revision)},
		}},
	}
}

// route has no timeout: a machine that is slow is no fault of a control plane.
func route(prefix, cluster string) object {
	return object{"match": object{"prefix": prefix}, "route": object{"cluster": cluster, "timeout": "0s"}}
}

// listener is on any free port, since all Envoys of a machine get the same. What
// Envoy answers by itself has the reason as its body.
func (t Team) listener() object {
	return object{
		"@type":   types + "config.listener.v3.Listener",
		"name":    t.Name,
		"address": socket("127.0.0.1", 0),
		"filter_chains": []object{{"filters": []object{{
			"name": "http",
			"typed_config": object{
				"@type":       types + "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
				"stat_prefix": t.Name,
				"rds":         object{"route_config_name": t.Name, "config_source": ads},
				"local_reply_config": object{"body_format": object{"text_format_source": object{
					"inline_string": "%RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %UPSTREAM_HOST% %UPSTREAM_CLUSTER%",
				}}},
				"http_filters": []object{{
					"name":         "router",
					"typed_config": object{"@type": types + "extensions.filters.http.router.v3.Router"},
				}},
			},
		}}}},
	}
}
