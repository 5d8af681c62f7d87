package envoy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3" // type of the listener below
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"

	"github.com/xdsready/xdsready/pkg/xds"
)

// goes waits until the cluster is gone.
func (p *proxy) goes(t *testing.T, cluster string) {
	t.Helper()
	eventually(t, "the removal of "+cluster, func() bool { return !p.hasCluster(cluster) })
}

// A cluster that nothing routes to goes when the removal delay is over, not before.
func TestFactRemovalDelay(t *testing.T) {
	t.Parallel()
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			backend := startBackend(t)
			o := startObserved(t, xds.Options{RemovalDelay: 2 * time.Second})
			envoy := o.envoy(t, transport, clusterSwap(0, backend))
			place := o.now()
			o.publish(t, parse(t, clusterSwap(1, backend)))
			sent := o.await(t, place, "the switch", brings(resourcev3.RouteType, "main"))
			ack := o.await(t, place, "its ACK", answers(sent))
			envoy.goes(t, "web-0")
			if took := time.Since(ack.at); took < 2*time.Second {
				t.Errorf("the cluster was removed %v after the switch", took)
			}
		})
	}
}

// Connections stay on the old filter chain, and Envoy asks for its route table,
// until the drain time is over. So long the old cluster stays, and no longer.
func TestFactOldRouteTableIsUsedUntilTheDrainTime(t *testing.T) {
	t.Parallel()
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			const drain = 4 * time.Second
			backends := [2]string{startBackend(t), startBackend(t)}
			o := startObserved(t, xds.Options{RemovalDelay: 100 * time.Millisecond})
			envoy := o.envoy(t, transport, listenerSwap(0, backends[0]), "--drain-time-s", "4")
			old := envoy.connect(t)
			old.wantBackend(t, backends[0])

			place := o.now()
			o.publish(t, parse(t, listenerSwap(1, backends[1])))
			sent := o.await(t, place, "the new listener", brings(resourcev3.ListenerType, "http"))
			eventually(t, "the new filter chain", func() bool { return envoy.reaches(backends[1]) })
			old.wantBackend(t, backends[0])

			gone := o.await(t, place, "the old route table to be given up", func(m message) bool {
				return !m.response && m.typeURL == resourcev3.RouteType &&
					(slices.Contains(m.removed, "main-0") || transport == "sotw" && !slices.Contains(m.names, "main-0"))
			})
			if held := gone.at.Sub(sent.at); held < drain-time.Second || held > drain+3*time.Second {
				t.Errorf("the old route table was given up after %v, want %v", held, drain)
			}
			if !envoy.hasCluster("web-0") {
				t.Error("the old cluster was removed before its route table was given up")
			}
			envoy.goes(t, "web-0")
		})
	}
}

// A new filter chain serves when it has its route table; until then the old one
// takes new connections too.
func TestFactNewChainWaitsForItsRoutes(t *testing.T) {
	t.Parallel()
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			backends := [2]string{startBackend(t), startBackend(t)}
			o := startObserved(t, xds.Options{RemovalDelay: 100 * time.Millisecond})
			envoy := o.envoy(t, transport, listenerSwap(0, backends[0]))
			resume := o.cut(asksFor(resourcev3.RouteType, "main-1"))
			o.publish(t, parse(t, listenerSwap(1, backends[1])))
			eventually(t, "the end of the stream", o.isCut)
			never(t, "the new chain serves, or none", time.Second, func() bool { return !envoy.reaches(backends[0]) })
			resume()
			eventually(t, "the new filter chain", func() bool { return envoy.reaches(backends[1]) })
		})
	}
}

// connection is one connection to Envoy on which request follows request.
type connection struct {
	net.Conn

	answers *bufio.Reader
}

// connect opens a connection to Envoy's listener "http".
func (p *proxy) connect(t *testing.T) *connection {
	t.Helper()
	conn, err := net.Dial("tcp", p.listener())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &connection{conn, bufio.NewReader(conn)}
}

// wantBackend sends a request and fails the test unless the backend answers it.
func (c *connection) wantBackend(t *testing.T, backend string) {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, "http://backend/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := request.Write(c); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(c.answers, request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.Copy(io.Discard, response.Body) // so that the next answer is the next that is read
	if from := response.Header.Get("backend"); response.StatusCode != http.StatusOK || from != backend {
		t.Errorf("status %d from %q, want the backend %s", response.StatusCode, from, backend)
	}
}

// reaches reports whether a new connection to Envoy leads to the backend.
func (p *proxy) reaches(backend string) bool {
	response, err := client.Get("http://" + p.listener())
	if err != nil {
		return false
	}
	defer func() { _ = response.Body.Close() }()
	return response.StatusCode == http.StatusOK && response.Header.Get("backend") == backend
}

// inline is the listener "http" whose routes are part of it.
func inline(cluster string) string {
	return strings.Replace(listeners, "rds: {route_config_name: main, config_source: {ads: {}, resource_api_version: V3}}",
		"route_config: {virtual_hosts: [{name: all, domains: ['*'], routes: [{match: {prefix: /}, route: {cluster: "+cluster+"}}]}]}", 1)
}

// straight is the listener "http" that sends connections to the cluster as they are.
func straight(cluster string) string {
	before, _, _ := strings.Cut(listeners, "    - name: envoy.filters.network.http_connection_manager")
	return before + `    - name: envoy.filters.network.tcp_proxy
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
        stat_prefix: tcp
        cluster: ` + cluster + "\n"
}

// Nothing tells when the last connection has left a listener that names clusters
// itself: they stay for the listener's drain time.
func TestFactListenerThatNamesClusters(t *testing.T) {
	t.Parallel()
	const drain = 4 * time.Second
	backends := [2]string{startBackend(t), startBackend(t)}
	config := func(listener func(string) string, n int) map[string]string {
		cluster := fmt.Sprintf("web-%d", n)
		return map[string]string{"listeners": listener(cluster), "clusters": clusters(cluster), "endpoints": endpoints(cluster, backends[n])}
	}
	for name, listener := range map[string]func(string) string{"routes": inline, "tcp": straight} {
		for _, transport := range transports {
			t.Run(name+", "+transport, func(t *testing.T) {
				t.Parallel()
				o := startObserved(t, xds.Options{RemovalDelay: 100 * time.Millisecond, ListenerDrain: drain})
				envoy := o.envoy(t, transport, config(listener, 0), "--drain-time-s", "4")
				old := envoy.connect(t)
				old.wantBackend(t, backends[0])
				place := o.now()
				o.publish(t, parse(t, config(listener, 1)))
				sent := o.await(t, place, "the new listener", brings(resourcev3.ListenerType, "http"))
				eventually(t, "new connections to reach the new cluster", func() bool { return envoy.reaches(backends[1]) })
				if took := time.Since(sent.at); took > quick {
					t.Errorf("new connections reach the new cluster after %v", took)
				}
				old.wantBackend(t, backends[0])
				envoy.goes(t, "web-0")
				if stayed := time.Since(sent.at); stayed < drain {
					t.Errorf("the old cluster was removed %v after the switch", stayed)
				}
			})
		}
	}
}

// What only a removed listener named stays for its drain time as well.
func TestFactRemovedListener(t *testing.T) {
	t.Parallel()
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			const drain = 3 * time.Second
			backend := startBackend(t)
			files := whole(backend)
			o := startObserved(t, xds.Options{RemovalDelay: 100 * time.Millisecond, ListenerDrain: drain})
			more := with(with(files, "other", strings.Replace(straight("other"), "name: http\n", "name: other\n", 1)), "its cluster", clusters("other"))
			envoy := o.envoy(t, transport, more, "--drain-time-s", "3")
			eventually(t, "both listeners", func() bool { return envoy.stat("listener_manager.total_listeners_active") == "2" })
			removed := time.Now()
			o.publish(t, parse(t, files))
			eventually(t, "the removal of the listener", func() bool { return envoy.stat("listener_manager.total_listeners_active") == "1" })
			envoy.goes(t, "other")
			if stayed := time.Since(removed); stayed < drain {
				t.Errorf("the cluster was removed %v after its listener", stayed)
			}
		})
	}
}
