package envoy

import (
	"fmt"
	"net"
	"strings"
	"testing"

	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/fault/v3" // type of the filter below
)

// holding is the listener "http" with a filter that holds a request, its route
// already chosen, for as long as the request's header says.
var holding = strings.Replace(listeners, "        http_filters:\n", `        http_filters:
        - name: envoy.filters.http.fault
          typed_config:
            "@type": type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault
            delay: {header_delay: {}, percentage: {numerator: 100}}
`, 1)

// scenario is a series of configs of which each replaces what serves by
// something new.
type scenario struct {
	name string
	// config is the nth of the series. It leads to the backend.
	config func(n int, backend string) map[string]string
	// beside is in every config of the series, the same each time.
	beside map[string]string
	// burst is how many configs are published at once; 0 means 1. It is odd, so
	// that the backend is another one after each burst.
	burst int
	// drain is Envoy's drain time in seconds, for a series that replaces the
	// listener's filter chain: connections stay on the old one for so long.
	drain string
	// witness is a stat of Envoy that is not 0 at the end, if what the series is
	// about has happened.
	witness string
}

// clusterSwap replaces the only cluster and points the route at the new one.
func clusterSwap(n int, backend string) map[string]string {
	cluster := fmt.Sprintf("web-%d", n)
	return map[string]string{
		"listeners": holding, "routes": routes(cluster),
		"clusters": clusters(cluster), "endpoints": endpoints(cluster, backend),
	}
}

// endpointSwap replaces the endpoint of a cluster that stays.
func endpointSwap(_ int, backend string) map[string]string { return clusterSwap(0, backend) }

// listenerSwap is clusterSwap with a new route table too, which only the
// listener's new filter chain asks for.
func listenerSwap(n int, backend string) map[string]string {
	files := clusterSwap(n, backend)
	for _, name := range []string{"listeners", "routes"} {
		files[name] = strings.Replace(files[name], "name: main", fmt.Sprintf("name: main-%d", n), 1)
	}
	return files
}

// rejectedSwap is clusterSwap beside a cluster that Envoy rejects: an EDS
// cluster that does not say where its endpoints come from. Every second time it
// is another one than before, so what was rejected is seen to stay and to change.
func rejectedSwap(n int, backend string) map[string]string {
	files := clusterSwap(n, backend)
	files["rejected"] = fmt.Sprintf(`resources:
- "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
  name: rejected
  type: EDS
  connect_timeout: %ds
`, 1+n/2)
	return files
}

// warmingSwap is clusterSwap beside a cluster that warms for ever, since the
// health check of its only host has no answer. It comes with the first swap: in
// a first config, Envoy would wait for it before it asks for listeners.
func warmingSwap(silent string) func(n int, backend string) map[string]string {
	host, port, _ := strings.Cut(silent, ":")
	return func(n int, backend string) map[string]string {
		files := clusterSwap(n, backend)
		if n > 0 {
			files["warming"] = `resources:
- "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
  name: warming
  type: STATIC
  health_checks:
  - {timeout: 3600s, interval: 1s, unhealthy_threshold: 1, healthy_threshold: 1, http_health_check: {path: /}}
  load_assignment:
    cluster_name: warming
    endpoints:
    - lb_endpoints:
      - endpoint: {address: {socket_address: {address: ` + host + `, port_value: ` + port + `}}}
`
		}
		return files
	}
}

// startSilent returns the address of a server that takes connections and never
// answers.
func startSilent(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener.Addr().String()
}

// manyClusters has 500 clusters with endpoints that no route names.
func manyClusters() map[string]string {
	files := map[string]string{}
	for n := range 500 {
		name := fmt.Sprintf("other-%d", n)
		files["clusters of "+name] = clusters(name)
		files["endpoints of "+name] = endpoints(name, "127.0.0.1:9")
	}
	return files
}
