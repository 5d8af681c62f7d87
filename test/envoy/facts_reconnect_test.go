package envoy

import (
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/xdsready/xdsready/pkg/xds"
)

// quick is well below the 15 s that an Envoy waits for what it is not told.
const quick = 5 * time.Second

// defaultBackOff is the bootstrap for an Envoy that comes back as late as it does
// where nobody has told it to hurry.
func defaultBackOff(t *testing.T, address, transport string) string {
	t.Helper()
	text := bootstrap(t, "--xds-address", address, "--transport", transport)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.TrimSpace(line) == "retry_policy:" {
			return strings.Join(append(lines[:i:i], lines[i+4:]...), "\n")
		}
	}
	t.Fatal("the bootstrap has no retry_policy")
	return ""
}

// One empty response is enough for an idle Envoy to come back within 1 s however
// often its stream ends, and no update is counted for it. It measures, so it does
// not run beside other tests.
func TestFactIdleEnvoyComesBackAtOnce(t *testing.T) {
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			o := startObserved(t, xds.Options{})
			o.publish(t, parse(t, whole(startBackend(t))))
			envoy := startEnvoy(t, defaultBackOff(t, o.address, transport), "all")
			eventually(t, "traffic through Envoy", envoy.serves)
			before := envoy.updates()
			var gaps []time.Duration
			for n := range 10 {
				closed := time.Now()
				o.interrupt()()
				first := o.await(t, 0, "a request on the next stream", func(m message) bool { return !m.response && m.stream == n+2 })
				gaps = append(gaps, first.at.Sub(closed))
				o.await(t, 0, "the empty response", func(m message) bool { return m.response && m.stream == n+2 })
			}
			t.Logf("%s: the next stream came after %v", transport, gaps)
			if longest := slices.Max(gaps); longest > time.Second {
				t.Errorf("the next stream came after up to %v", longest)
			}
			o.wantRequestsFirst(t)
			if sent := o.since(0, func(m message) bool { return m.stream > 1 && m.response && len(m.names)+len(m.removed) > 0 }); len(sent) > 0 {
				t.Errorf("a proxy that has all was sent %v", sent)
			}
			if diff := cmp.Diff(before, envoy.updates()); diff != "" {
				t.Errorf("Envoy counts updates of what it had (-before +after):\n%s", diff)
			}
		})
	}
}

// wantRequestsFirst fails the test unless each stream but the first one began with
// requests for all that Envoy has, before any answer.
func (o *observed) wantRequestsFirst(t *testing.T) {
	t.Helper()
	asked := map[int][]string{}
	for _, m := range o.since(0, func(m message) bool { return m.stream > 1 }) {
		if !m.response {
			asked[m.stream] = append(asked[m.stream], m.typeURL)
			continue
		}
		first := slices.Sorted(slices.Values(asked[m.stream]))
		if diff := cmp.Diff([]string{resourcev3.ClusterType, resourcev3.EndpointType, resourcev3.ListenerType, resourcev3.RouteType}, first); diff != "" {
			t.Errorf("what Envoy asked for before the answer on stream %d (-want +got):\n%s", m.stream, diff)
		}
	}
}

// A control plane that is killed and comes back with equal config sends no
// resource, so the Envoy counts no update and serves on.
func TestFactRestartOfTheControlPlane(t *testing.T) {
	t.Parallel()
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			files := whole(startBackend(t))
			c := startServe(t, files)
			envoy := startEnvoy(t, bootstrap(t, "--xds-address", c.xds, "--transport", transport), "all")
			eventually(t, "traffic through Envoy", envoy.serves)
			before, stop := envoy.updates(), steadyTraffic(t, envoy)
			for name, count := range before {
				if count == "" || count == "0" {
					t.Errorf("%s is %q before the restart", name, count)
				}
			}
			c.stop(t, syscall.SIGKILL)

			next := startServe(t, files, "--xds-address", c.xds)
			eventually(t, "the stream to be resumed", func() bool {
				return next.says("/metrics", `xdsready_resumed_streams_total{result="current"} 1`)
			})
			eventually(t, "Envoy to be connected", func() bool { return envoy.stat("control_plane.connected_state") == "1" })
			next.wantNothingSent(t)
			if diff := cmp.Diff(before, envoy.updates()); diff != "" {
				t.Errorf("Envoy counts updates of what it had (-before +after):\n%s", diff)
			}
			noFailures(t, stop)
		})
	}
}

// An Envoy that reconnects while a cluster warms asks for endpoints at once and
// for clusters only when all are warm. In SotW it asks for [a b] with the version
// of [a], which must not be taken for current.
func TestFactReconnectWhileAClusterWarms(t *testing.T) {
	t.Parallel()
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			backend := startBackend(t)
			files := whole(backend)
			o := startObserved(t, xds.Options{})
			envoy := o.envoy(t, transport, files)
			stop := steadyTraffic(t, envoy)

			files["clusters.yaml"], files["new"] = clusters("backend", "new"), endpoints("new", backend)
			asks := asksFor(resourcev3.EndpointType, "new")
			place := o.now()
			o.cut(asks)()
			o.publish(t, parse(t, files))
			cut := o.await(t, place, "the request for the new endpoints", asks)
			again := o.await(t, place, "the same on the next stream", func(m message) bool { return m.stream > cut.stream && asks(m) })
			if transport == "sotw" && again.version != o.since(0, accepts(resourcev3.EndpointType))[0].version {
				t.Errorf("it comes with the version %q: not the one of its old endpoints", again.version)
			}
			sent := o.await(t, place, "the new endpoints", brings(resourcev3.EndpointType, "new"))
			if took := sent.at.Sub(again.at); took > time.Second {
				t.Errorf("the endpoints were sent after %v", took)
			}
			early := o.since(place, func(m message) bool {
				return m.stream == again.stream && m.typeURL == resourcev3.ClusterType && m.at.Before(sent.at)
			})
			if len(early) > 0 {
				t.Errorf("Envoy asked for clusters before it had their endpoints: %v", early)
			}
			if took := eventually(t, "the new cluster", func() bool { return envoy.hasCluster("new") }); took > quick {
				t.Errorf("the new cluster was warm after %v", took)
			}
			noFailures(t, stop)
		})
	}
}

// What was deleted while the proxy was away is removed when it is back.
func TestFactDeletedWhileAway(t *testing.T) {
	t.Parallel()
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			files := whole(startBackend(t))
			o := startObserved(t, xds.Options{RemovalDelay: 100 * time.Millisecond, ListenerDrain: time.Second})
			other := strings.Replace(listeners, "name: http\n", "name: other\n", 1)
			envoy := o.envoy(t, transport, with(with(files, "clusters.yaml", clusters("backend", "gone")), "other", other))
			eventually(t, "the second cluster", func() bool { return envoy.hasCluster("gone") })
			eventually(t, "the second listener", func() bool { return envoy.stat("listener_manager.total_listeners_active") == "2" })

			resume := o.interrupt()
			o.publish(t, parse(t, files))
			resume()
			eventually(t, "the removal of the cluster", func() bool { return !envoy.hasCluster("gone") })
			eventually(t, "the removal of the listener", func() bool { return envoy.stat("listener_manager.total_listeners_active") == "1" })
			if !envoy.serves() {
				t.Error("Envoy does not serve any more")
			}
		})
	}
}

// The same with a cluster that was there before. In SotW its requests are those of
// a proxy that has what it asks for, names and version alike: only that clusters
// are not asked for tells the two apart.
func TestFactReconnectWhileAClusterWarmsAgain(t *testing.T) {
	t.Parallel()
	for name, asks := range map[string]func(message) bool{
		"endpoints": asksFor(resourcev3.EndpointType, "secure"),
		"secret":    asksFor(resourcev3.SecretType, "ca"),
	} {
		for _, transport := range transports {
			t.Run(name+", "+transport, func(t *testing.T) {
				t.Parallel()
				address, ca := startSecureBackend(t)
				less := with(whole(startBackend(t)), "ca", ca)
				cluster := strings.Replace(secureCluster, "initial_fetch_timeout: 1s, ", "", 1)
				more := with(with(less, "more clusters", cluster), "more endpoints", endpoints("secure", address))
				o := startObserved(t, xds.Options{RemovalDelay: 100 * time.Millisecond})
				envoy := o.envoy(t, transport, more)
				eventually(t, "the second cluster", func() bool { return envoy.hasCluster("secure") })
				o.publish(t, parse(t, less))
				envoy.goes(t, "secure")

				o.cut(asks)()
				o.publish(t, parse(t, more))
				eventually(t, "the end of the stream", o.isCut)
				if took := eventually(t, "the second cluster", func() bool { return envoy.hasCluster("secure") }); took > quick {
					t.Errorf("it was warm after %v", took)
				}
			})
		}
	}
}

// On its first load, an Envoy that reconnects while a cluster warms does not ask
// for listeners. It gets the endpoints at once as well.
func TestFactReconnectOnTheFirstLoad(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]func(message) bool{
		"before the request": asksFor(resourcev3.EndpointType, "backend"),
		"before the answer":  brings(resourcev3.EndpointType, "backend"),
	} {
		for _, transport := range transports {
			t.Run(name+", "+transport, func(t *testing.T) {
				t.Parallel()
				o := startObserved(t, xds.Options{})
				o.cut(at)()
				o.envoy(t, transport, whole(startBackend(t)))
				cut := o.await(t, 0, "the message that was cut", at)
				listeners := o.await(t, 0, "the listener", brings(resourcev3.ListenerType, "http"))
				if took := listeners.at.Sub(cut.at); took > quick {
					t.Errorf("the listener came %v after the end of the first stream", took)
				}
			})
		}
	}
}
