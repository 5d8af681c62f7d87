package envoy

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3" // types of the listener below
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/anypb"
	"sigs.k8s.io/yaml"

	"github.com/xdsready/xdsready/pkg/cache"
)

const backendSays = "hello from the backend"

// backendHandler answers requests with the address they came to in the header "backend";
// those to /stream take 200 ms.
var backendHandler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("backend", fmt.Sprint(r.Context().Value(http.LocalAddrContextKey)))
	_, _ = fmt.Fprintln(w, backendSays) // an error means that the client has gone
	if r.URL.Path == "/stream" {
		stream(w, r)
	}
})

// startBackend returns the address of an HTTP server behind the Envoys.
func startBackend(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(backendHandler)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// stream goes on answering for 200 ms.
func stream(w http.ResponseWriter, r *http.Request) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range 10 {
		_ = http.NewResponseController(w).Flush() // an error means that the client has gone
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		}
		_, _ = fmt.Fprintln(w, backendSays)
	}
}

// listeners has one listener "http" on any free port, and its route table "main".
const listeners = `resources:
- "@type": type.googleapis.com/envoy.config.listener.v3.Listener
  name: http
  address: {socket_address: {address: 127.0.0.1, port_value: 0}}
  filter_chains:
  - filters:
    - name: envoy.filters.network.http_connection_manager
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
        stat_prefix: http
        rds: {route_config_name: main, config_source: {ads: {}, resource_api_version: V3}}
        http_filters:
        - name: envoy.filters.http.router
          typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
`

// routes sends everything to the cluster.
func routes(cluster string) string {
	return `resources:
- "@type": type.googleapis.com/envoy.config.route.v3.RouteConfiguration
  name: main
  virtual_hosts:
  - name: all
    domains: ["*"]
    routes:
    - match: {prefix: /}
      route: {cluster: ` + cluster + `}
`
}

// clusters has one EDS cluster for each name.
func clusters(names ...string) string {
	text := "resources:\n"
	for _, name := range names {
		text += `- "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
  name: ` + name + `
  type: EDS
  eds_cluster_config: {eds_config: {ads: {}, resource_api_version: V3}}
`
	}
	return text
}

// endpoints has one endpoint for the cluster.
func endpoints(cluster, address string) string {
	host, port, _ := strings.Cut(address, ":")
	return `resources:
- "@type": type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment
  cluster_name: ` + cluster + `
  endpoints:
  - lb_endpoints:
    - endpoint: {address: {socket_address: {address: ` + host + `, port_value: ` + port + `}}}
`
}

// whole is a config directory that leads to the backend.
func whole(backend string) map[string]string {
	return map[string]string{
		"listeners.yaml": listeners, "routes.yaml": routes("backend"),
		"clusters.yaml": clusters("backend"), "endpoints.yaml": endpoints("backend", backend),
	}
}

// parse makes resources of files such as those above.
func parse(t *testing.T, files map[string]string) []cache.Resource {
	t.Helper()
	var resources []cache.Resource
	for name, text := range files {
		var file struct {
			Resources []any `json:"resources"`
		}
		if err := yaml.Unmarshal([]byte(text), &file); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, r := range file.Resources {
			raw, err := yaml.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			if raw, err = yaml.YAMLToJSON(raw); err != nil {
				t.Fatal(err)
			}
			packed := &anypb.Any{}
			if err := protojson.Unmarshal(raw, packed); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			resource, err := cache.NewResourceFromAny(packed)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			resources = append(resources, resource)
		}
	}
	return resources
}
