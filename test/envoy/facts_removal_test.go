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

// goes waits until the cluster is gone, and returns how long that takes.
func (p *proxy) goes(t *testing.T, cluster string) time.Duration {
	t.Helper()
	return eventually(t, "the removal of "+cluster, func() bool { return !p.hasCluster(cluster) })
}

// A cluster that nothing routes to goes when the removal delay is over, not before.
func TestFactRemovalDelay(t *testing.T) {
	inTransports(t, func(t *testing.T, transport string) {
		backend := startBackend(t)
		o := startObserved(t, xds.Options{RemovalDelay: 2 * time.Second})
		envoy := o.envoy(t, transport, clusterSwap(0, backend))
		place := o.now()
		o.publish(t, parse(t, clusterSwap(1, backend)))
		sent := o.await(t, place, "the switch", brings(resourcev3.RouteType, "main"))
		ack := o.await(t, place, "its ACK", acceptsThe(sent))
		envoy.goes(t, "web-0")
		if took := time.Since(ack.at); took < 2*time.Second {
			t.Errorf("the cluster was removed %v after the switch", took)
		}
	})
}

// Connections stay on the old filter chain, and Envoy asks for its route table,
// until the drain time is over. So long the old cluster stays, and no longer.
func TestFactOldRouteTableIsUsedUntilTheDrainTime(t *testing.T) {
	inTransports(t, func(t *testing.T, transport string) {
		const drain = 4 * time.Second
		backends := [2]string{startBackend(t), startBackend(t)}
		o := startObserved(t, xds.Options{RemovalDelay: 100 * time.Millisecond})
		envoy := o.envoy(t, transport, listenerSwap(0, backends[0]), "--drain-time-s", "4")
		address := "http://" + envoy.listener()
		old := &http.Client{Timeout: patience}
		defer old.CloseIdleConnections()
		ask(t, old, address, backends[0])

		place := o.now()
		o.publish(t, parse(t, listenerSwap(1, backends[1])))
		sent := o.await(t, place, "the new listener", brings(resourcev3.ListenerType, "http"))
		eventually(t, "the new filter chain", func() bool { return envoy.stat("listener_manager.listener_in_place_updated") == "1" })
		ask(t, client, address, backends[1])
		ask(t, old, address, backends[0])

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
		ask(t, old, address, backends[1]) // on a new connection: Envoy has closed the old one
		envoy.goes(t, "web-0")
	})
}

// ask sends a request and fails the test unless the backend answers it.
func ask(t *testing.T, client *http.Client, url, backend string) {
	t.Helper()
	response, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.Copy(io.Discard, response.Body) // so that the connection is used again
	if from := response.Header.Get("backend"); response.StatusCode != http.StatusOK || from != backend {
		t.Fatalf("status %d from %q, want the backend %s", response.StatusCode, from, backend)
	}
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
	const drain = 4 * time.Second
	backends := [2]string{startBackend(t), startBackend(t)}
	config := func(listener func(string) string, n int) map[string]string {
		cluster := fmt.Sprintf("web-%d", n)
		return map[string]string{"listeners": listener(cluster), "clusters": clusters(cluster), "endpoints": endpoints(cluster, backends[n])}
	}
	for name, listener := range map[string]func(string) string{"routes": inline, "tcp": straight} {
		t.Run(name, func(t *testing.T) {
			inTransports(t, func(t *testing.T, transport string) {
				o := startObserved(t, xds.Options{RemovalDelay: 100 * time.Millisecond, ListenerDrain: drain})
				envoy := o.envoy(t, transport, config(listener, 0), "--drain-time-s", "4")
				address := envoy.listener()
				old, err := net.Dial("tcp", address)
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = old.Close() }()
				reader := bufio.NewReader(old)
				if from := askOn(t, old, reader); from != backends[0] {
					t.Fatalf("the first connection is answered by %s", from)
				}

				place := o.now()
				o.publish(t, parse(t, config(listener, 1)))
				sent := o.await(t, place, "the new listener", brings(resourcev3.ListenerType, "http"))
				took := eventually(t, "new connections to reach the new cluster", func() bool { return envoy.stat("cluster.web-1.upstream_cx_total") > "0" || !envoy.serves() })
				if took > time.Second {
					t.Errorf("new connections reach the new cluster after %v", took)
				}
				ask(t, client, "http://"+address, backends[1])
				if from := askOn(t, old, reader); from != backends[0] {
					t.Errorf("the first connection is answered by %s", from)
				}
				envoy.goes(t, "web-0")
				if stayed := time.Since(sent.at); stayed < drain {
					t.Errorf("the old cluster was removed %v after the switch", stayed)
				}
			})
		})
	}
}

// askOn sends a request on a connection and returns the backend that answers.
func askOn(t *testing.T, connection net.Conn, reader *bufio.Reader) (backend string) {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, "http://backend/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := request.Write(connection); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(reader, request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.Copy(io.Discard, response.Body) // so that the next answer is the next that is read
	return response.Header.Get("backend")
}

// What only a removed listener named stays for its drain time as well.
func TestFactRemovedListener(t *testing.T) {
	inTransports(t, func(t *testing.T, transport string) {
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
