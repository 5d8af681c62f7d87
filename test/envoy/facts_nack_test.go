package envoy

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/xdsready/xdsready/pkg/xds"
	"github.com/xdsready/xdsready/test/loopback"
)

// wantRejected waits until status names exactly these resources as rejected,
// and says why.
func (o *observed) wantRejected(t *testing.T, typeURL, why string, want ...string) {
	t.Helper()
	var got []string
	var message string
	if !within(quick, func() bool {
		got, message = o.rejected(typeURL)
		return cmp.Equal(want, got)
	}) {
		t.Fatalf("rejected are %q, want %q", got, want)
	}
	if !strings.Contains(message, why) {
		t.Errorf("the reason is %q, want %q in it", message, why)
	}
}

// wantQuiet fails the test if anything of the type is sent for three seconds.
func (o *observed) wantQuiet(t *testing.T, typeURL string) {
	t.Helper()
	place := o.now()
	never(t, "what was rejected is sent again", 3*time.Second, func() bool { return len(o.since(place, brings(typeURL, ""))) > 0 })
}

// Of two clusters of which Envoy rejects one, it applies the other. What it has
// rejected is named, and not sent again and again.
func TestFactRejectedCluster(t *testing.T) {
	t.Parallel()
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			first, second := startBackend(t), startBackend(t)
			o := startObserved(t, xds.Options{})
			envoy := o.envoy(t, transport, clusterSwap(0, first))
			stop := steadyTraffic(t, envoy)
			place := o.now()
			o.publish(t, parse(t, rejectedSwap(1, second)))
			nack := o.await(t, place, "the NACK", rejects(resourcev3.ClusterType))
			if !strings.Contains(nack.nack, "rejected: ") {
				t.Errorf("the NACK %q does not name the cluster", nack.nack)
			}
			eventually(t, "requests over the good cluster", func() bool { return envoy.stat("cluster.web-1.upstream_rq_200") > "0" })
			o.wantRejected(t, resourcev3.ClusterType, "EDS", "rejected")
			o.wantQuiet(t, resourcev3.ClusterType)
			noFailures(t, stop)
		})
	}
}

// A listener whose port is in use is rejected beside a good one, which serves.
// That is passing: when the proxy reconnects, it is offered again.
func TestFactPortInUse(t *testing.T) {
	t.Parallel()
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			taken, err := net.Listen("tcp", loopback.Address(t)) // and nobody else's once it is closed
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = taken.Close() }()
			_, port, _ := net.SplitHostPort(taken.Addr().String())
			files := whole(startBackend(t))
			second := strings.NewReplacer("name: http\n", "name: second\n", "port_value: 0", "port_value: "+port).Replace(listeners)
			o := startObserved(t, xds.Options{})
			envoy := o.envoy(t, transport, files)
			stop := steadyTraffic(t, envoy)
			place := o.now()
			third := strings.Replace(listeners, "name: http\n", "name: third\n", 1)
			o.publish(t, parse(t, with(with(files, "second", second), "third", third)))
			o.await(t, place, "the NACK", rejects(resourcev3.ListenerType))
			eventually(t, "the good listener", func() bool { return envoy.stat("listener_manager.total_listeners_active") == "2" })
			o.wantRejected(t, resourcev3.ListenerType, "second", "second")
			o.wantQuiet(t, resourcev3.ListenerType)

			if err := taken.Close(); err != nil {
				t.Fatal(err)
			}
			o.interrupt()()
			took := eventually(t, "the listener whose port is free now", func() bool { return envoy.stat("listener_manager.total_listeners_active") == "3" })
			if took > quick {
				t.Errorf("it came after %v", took)
			}
			noFailures(t, stop)
		})
	}
}

// Of two route tables of which Envoy rejects one, it applies the other.
func TestFactRejectedRoutes(t *testing.T) {
	t.Parallel()
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			first, second := startBackend(t), startBackend(t)
			files := whole(first)
			files["other"] = strings.NewReplacer("name: http\n", "name: other\n", "route_config_name: main", "route_config_name: other").Replace(listeners)
			files["its routes"] = strings.Replace(routes("backend"), "name: main", "name: other", 1)
			o := startObserved(t, xds.Options{})
			envoy := o.envoy(t, transport, files)
			o.await(t, 0, "the other route table", brings(resourcev3.RouteType, "other"))
			stop := steadyTraffic(t, envoy)

			files["routes.yaml"] = routes("new")
			files["its routes"] = strings.Replace(files["its routes"], `domains: ["*"]`, `domains: ["*", "*"]`, 1)
			files["clusters.yaml"], files["new"] = clusters("backend", "new"), endpoints("new", second)
			place := o.now()
			o.publish(t, parse(t, files))
			o.await(t, place, "the NACK", rejects(resourcev3.RouteType))
			eventually(t, "requests over the good route table", func() bool { return envoy.stat("cluster.new.upstream_rq_200") > "0" })
			o.wantRejected(t, resourcev3.RouteType, "wildcard domain", "other")
			o.wantQuiet(t, resourcev3.RouteType)
			noFailures(t, stop)
		})
	}
}

// A NACK of endpoints does not name the bad ones, and in delta the good ones are
// not applied. They are found by sending smaller parts.
func TestFactRejectedEndpoints(t *testing.T) {
	t.Parallel()
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			first, second := startBackend(t), startBackend(t)
			names := []string{"a", "b", "c", "d", "backend"}
			config := func(address string) map[string]string {
				files := with(whole(address), "clusters.yaml", clusters(names...))
				for _, name := range names {
					files["endpoints of "+name] = endpoints(name, address)
				}
				delete(files, "endpoints.yaml")
				return files
			}
			o := startObserved(t, xds.Options{})
			envoy := o.envoy(t, transport, config(first))
			stop := steadyTraffic(t, envoy)
			place := o.now()
			o.publish(t, parse(t, with(config(second), "endpoints of b", endpoints("b", "nowhere:80"))))
			nack := o.await(t, place, "the NACK", rejects(resourcev3.EndpointType))
			if !strings.Contains(nack.nack, "malformed IP address: nowhere") {
				t.Errorf("the NACK is %q", nack.nack)
			}
			o.wantRejected(t, resourcev3.EndpointType, "malformed", "b")
			want := map[string]string{"a": second, "b": first, "c": second, "d": second, "backend": second}
			has := func(name, address string) bool {
				_, body := get("http://" + envoy.admin + "/clusters")
				return strings.Contains(body, fmt.Sprintf("%s::%s::", name, address))
			}
			for name, address := range want {
				eventually(t, "the endpoints of "+name, func() bool { return has(name, address) })
			}
			o.wantQuiet(t, resourcev3.EndpointType)
			noFailures(t, stop)
		})
	}
}
