package envoy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"

	"github.com/xdsready/xdsready/pkg/xds"
)

// A stream that ends in the middle of a switch, at whatever message, changes
// nothing: the next one goes on with it, and no request fails. In SotW it is the
// version that tells what the proxy has: the new clusters and some of the old.
func TestFactSwitchOverAReconnect(t *testing.T) {
	t.Parallel()
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			backends := [2]string{startBackend(t), startBackend(t)}
			o := startObserved(t, xds.Options{RemovalDelay: removalDelay, ListenerDrain: time.Second})
			envoy := o.envoy(t, transport, clusterSwap(0, backends[0]))
			traffic := startTraffic(t, envoy, transport)
			for n, at := range []func(cluster string) func(message) bool{
				func(cluster string) func(message) bool { return brings(resourcev3.ClusterType, cluster) },
				func(cluster string) func(message) bool { return asksFor(resourcev3.EndpointType, cluster) },
				func(cluster string) func(message) bool { return brings(resourcev3.EndpointType, cluster) },
				func(cluster string) func(message) bool {
					return answerTo(brings(resourcev3.ClusterType, cluster))
				},
				func(string) func(message) bool { return brings(resourcev3.RouteType, "main") },
				func(string) func(message) bool { return accepts(resourcev3.RouteType) },
			} {
				backend := backends[(n+1)%2]
				o.cut(at(fmt.Sprintf("web-%d", n+1)))()
				traffic.swap()
				o.publish(t, parse(t, clusterSwap(n+1, backend)))
				eventually(t, "the end of the stream", o.isCut)
				eventually(t, "the swap", func() bool { return traffic.reached(backend, "keep-alive", "new connections") })
			}
			for n := range 6 {
				envoy.goes(t, fmt.Sprintf("web-%d", n))
			}
			traffic.stop()
			if failed := traffic.count().failed; failed > 0 {
				t.Errorf("%d requests failed", failed)
			}
			mixed := o.since(0, func(m message) bool {
				return !m.response && m.nonce == "" && m.typeURL == resourcev3.ClusterType && strings.Contains(m.version, "+")
			})
			if transport == "sotw" && len(mixed) == 0 {
				t.Error("no stream began with a version of parts: the test has not met what it is about")
			}
		})
	}
}

// answerTo is true of the ACK of the next response of a kind.
func answerTo(is func(message) bool) func(message) bool {
	var response message
	return func(m message) bool {
		if is(m) {
			response = m
		}
		return response.response && answers(response)(m)
	}
}

// A control plane that knows none of the versions that a proxy brings along does
// not take away what serves, where it can know that: the proxy's endpoints show
// that it has the clusters of the new routes, so these go first.
func TestFactSwitchOverARestart(t *testing.T) {
	t.Parallel()
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			backend := startBackend(t)
			files := with(with(whole(backend), "more clusters", clusters("new")), "more endpoints", endpoints("new", backend))
			options := xds.Options{RemovalDelay: 100 * time.Millisecond, ListenerDrain: time.Second}
			o := startObserved(t, options)
			envoy := o.envoy(t, transport, files)
			eventually(t, "the second cluster", func() bool { return envoy.hasCluster("new") })
			stop := steadyTraffic(t, envoy)

			resume := o.interrupt()
			o.replace(t, options)
			o.publish(t, parse(t, map[string]string{
				"listeners": listeners, "routes": routes("new"), "clusters": clusters("new"), "endpoints": endpoints("new", backend),
			}))
			place := o.now()
			resume()
			took := eventually(t, "requests over the new cluster", func() bool { return envoy.stat("cluster.new.upstream_rq_200") > "0" })
			if took > quick {
				t.Errorf("the switch came after %v", took)
			}
			envoy.goes(t, "backend")
			noFailures(t, stop)
			routes := o.await(t, place, "the routes", brings(resourcev3.RouteType, "main"))
			if early := o.since(place, func(m message) bool {
				return m.response && m.typeURL == resourcev3.ClusterType && m.at.Before(routes.at)
			}); len(early) > 0 {
				t.Errorf("clusters were sent before the routes that left them: %v", early)
			}
		})
	}
}

// Connections that live on an old filter chain outlive the stream as well: what
// they use stays. A control plane that has just started cannot know what an old
// chain named itself; in delta it learns which route tables still are in use.
func TestFactConnectionsDrainOverAReconnect(t *testing.T) {
	t.Parallel()
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			for kind, config := range map[string]func(n int, backend string) map[string]string{
				"route table": listenerSwap,
				"routes of its own": func(n int, backend string) map[string]string {
					cluster := fmt.Sprintf("web-%d", n)
					return map[string]string{"listeners": inline(cluster), "clusters": clusters(cluster), "endpoints": endpoints(cluster, backend)}
				},
			} {
				for _, restart := range []bool{false, true} {
					if restart && (transport == "sotw" || kind != "route table") {
						continue
					}
					t.Run(fmt.Sprintf("%s, restart %v", kind, restart), func(t *testing.T) {
						t.Parallel()
						options := xds.Options{RemovalDelay: 100 * time.Millisecond, ListenerDrain: time.Minute}
						backends := [2]string{startBackend(t), startBackend(t)}
						o := startObserved(t, options)
						envoy := o.envoy(t, transport, config(0, backends[0]), "--drain-time-s", "60")
						old := envoy.connect(t)
						old.wantBackend(t, backends[0])
						o.publish(t, parse(t, config(1, backends[1])))
						eventually(t, "the new filter chain", func() bool { return envoy.reaches(backends[1]) })

						place, resume := o.now(), o.interrupt()
						if restart {
							o.replace(t, options)
							o.publish(t, parse(t, config(1, backends[1])))
						}
						resume()
						o.await(t, place, "a response on the next stream", func(m message) bool { return m.response })
						never(t, "the old cluster is removed", 2*time.Second, func() bool { return !envoy.hasCluster("web-0") })
						old.wantBackend(t, backends[0])
					})
				}
			}
		})
	}
}
