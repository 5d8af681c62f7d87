package xds_test

import (
	"testing"
	"testing/synctest"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/xdsready/xdsready/pkg/xds"
)

// greetingAfter is when a stream on which nothing is to be sent gets its one
// empty response: the rest of the proxy's subscriptions has come by then.
const greetingAfter = 100 * time.Millisecond

// held is what a SotW proxy says of itself when it reconnects.
type held map[string]struct {
	version string
	names   []string
}

// hold opens a stream of a proxy without config that asks for clusters and a
// route table, and acknowledges them.
func (r *rig) hold(t *testing.T) held {
	t.Helper()
	p := r.asks(t, resourcev3.ClusterType)
	clusters := receive(t, p)
	send(t, p, ack(clusters))
	send(t, p, &discovery.DiscoveryRequest{TypeUrl: resourcev3.RouteType, ResourceNames: []string{"table"}})
	routes := receive(t, p)
	send(t, p, ackFor(routes, "table"))
	p.CloseSend()
	<-p.ended
	return held{
		resourcev3.ClusterType: {clusters.GetVersionInfo(), nil},
		resourcev3.RouteType:   {routes.GetVersionInfo(), []string{"table"}},
	}
}

// comeBack opens a stream of a proxy that holds config.
func (r *rig) comeBack(t *testing.T, h held) *sotwPipe {
	t.Helper()
	p := r.sotwPipe(t, "")
	for _, typeURL := range []string{resourcev3.ClusterType, resourcev3.RouteType} {
		send(t, p, &discovery.DiscoveryRequest{
			Node: node("envoy", ""), TypeUrl: typeURL, VersionInfo: h[typeURL].version, ResourceNames: h[typeURL].names,
		})
	}
	return p
}

// resumed is xdsready_resumed_streams_total by result, without zeros.
func (r *rig) resumed(t *testing.T) map[string]float64 {
	t.Helper()
	results := counters(t, r.server, "xdsready_resumed_streams_total")
	for result, n := range results {
		if n == 0 {
			delete(results, result)
		}
	}
	return results
}

// A proxy that comes with the current versions is sent no byte of resources: only
// the empty response that resets its back-off, of a type that it did not ask for.
func TestResumeSotWCurrent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newServer(t, nil, xds.Options{})
		r.set(t, xds.AllGroup, staticCluster("a"), routesTo("a"))
		h := r.hold(t)
		before := r.sentBytes(t)
		for range 10 {
			p := r.comeBack(t, h)
			greeting := p.nextAfter(t, greetingAfter)
			if len(greeting.GetResources()) > 0 || greeting.GetTypeUrl() != resourcev3.SecretType {
				t.Errorf("greeting: %v, want an empty one of secrets", greeting)
			}
			send(t, p, ack(greeting)) // of a type that it never asked for
			p.silent(t, time.Hour)
			if !r.server.Proxies()[0].Converged() {
				t.Errorf("not converged: %+v", r.server.Proxies()[0])
			}
			p.CloseSend()
			<-p.ended
		}
		if sent := r.sentBytes(t) - before; sent != 0 {
			t.Errorf("%v bytes of resources were sent", sent)
		}
		if diff := cmp.Diff(map[string]float64{"current": 10}, r.resumed(t)); diff != "" {
			t.Errorf("xdsready_resumed_streams_total (-want +got):\n%s", diff)
		}
	})
}

// A proxy with an older version that is known gets what a connected one would
// get: the new cluster, then the route, and when that is done it loses the old.
func TestResumeSotWChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newServer(t, nil, xds.Options{RemovalDelay: time.Second, ListenerDrain: time.Minute})
		r.set(t, xds.AllGroup, staticCluster("old"), routesTo("old"))
		h := r.hold(t)
		if got := gauge(t, r.server, "xdsready_generation_bytes"); got != 0 {
			t.Errorf("generation_bytes is %v with one generation", got)
		}
		r.set(t, xds.AllGroup, staticCluster("new"), routesTo("new"))
		p := r.comeBack(t, h)
		added := receive(t, p)
		want(t, "clusters", added, "new", "old")
		p.silent(t, time.Second) // no route before the cluster is acknowledged
		if pending := gauge(t, r.server, "xdsready_removals_pending"); pending != 1 {
			t.Errorf("removals_pending is %v, want 1", pending)
		}
		send(t, p, &discovery.DiscoveryRequest{TypeUrl: resourcev3.ListenerType})
		listeners := receive(t, p)
		send(t, p, ack(listeners))
		send(t, p, ack(added))
		switched := receive(t, p)
		want(t, "routes", switched, "table")
		p.silent(t, time.Hour) // no removal before the switch is acknowledged
		send(t, p, ackFor(switched, "table"))
		want(t, "clusters at the end", receive(t, p), "new")
		if diff := cmp.Diff(map[string]float64{"changed": 1}, r.resumed(t)); diff != "" {
			t.Errorf("xdsready_resumed_streams_total (-want +got):\n%s", diff)
		}
		if pending := gauge(t, r.server, "xdsready_removals_pending"); pending != 0 {
			t.Errorf("removals_pending is %v, want 0", pending)
		}
		if got := gauge(t, r.server, "xdsready_generation_bytes"); got == 0 {
			t.Error("generation_bytes is 0 with an older generation")
		}
	})
}

// A version that no living replica knows is counted, and gets all of the type.
func TestResumeSotWUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newServer(t, nil, xds.Options{})
		r.set(t, xds.AllGroup, staticCluster("a"), routesTo("a"))
		h := r.hold(t)
		clusters := h[resourcev3.ClusterType]
		clusters.version = "of another control plane"
		h[resourcev3.ClusterType] = clusters
		p := r.comeBack(t, h)
		want(t, "clusters", receive(t, p), "a")
		if diff := cmp.Diff(map[string]float64{"unknown": 1}, r.resumed(t)); diff != "" {
			t.Errorf("xdsready_resumed_streams_total (-want +got):\n%s", diff)
		}
		if got := counters(t, r.server, "xdsready_unknown_versions_total")[""]; got != 1 {
			t.Errorf("xdsready_unknown_versions_total is %v, want 1", got)
		}
	})
}

// "Same version" is judged over the names asked: they may have grown since.
func TestResumeSotWWithMoreNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newServer(t, nil, xds.Options{})
		r.set(t, xds.AllGroup, loadAssignment("a"), loadAssignment("b"))
		version := receive(t, r.asks(t, resourcev3.EndpointType, "a")).GetVersionInfo()
		p := r.sotwPipe(t, "")
		send(t, p, &discovery.DiscoveryRequest{
			Node: node("envoy", ""), TypeUrl: resourcev3.EndpointType, VersionInfo: version, ResourceNames: []string{"b", "a"},
		})
		got := p.nextAfter(t, 0)
		if names := resources(t, got); names[len(names)-1] != "b" {
			t.Errorf("got %q, want b at least", names)
		}
	})
}

// A delta proxy says what it holds, name by name.
func TestResumeDelta(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newServer(t, nil, xds.Options{})
		version := func(name string, weight uint32) string {
			return resourceOf(t, endpointsAt(name, weight)).Version().String()
		}
		rest := map[string]proto.Message{resourcev3.ClusterType: staticCluster("x"), resourcev3.ListenerType: listener("x")}
		r.set(t, xds.AllGroup, staticCluster("x"), listener("x"), endpointsAt("same", 1), endpointsAt("changed", 1), endpointsAt("gone", 1))
		receiveDelta(t, r.subscribes(t, resourcev3.EndpointType)) // or nobody would remember
		r.set(t, xds.AllGroup, staticCluster("x"), listener("x"), endpointsAt("same", 1), endpointsAt("changed", 2), endpointsAt("new", 1))

		comeBack := func(held map[string]string) *deltaPipe {
			p := r.deltaPipe(t, "")
			for typeURL, m := range rest { // or it would seem to wait for a cluster to warm
				sendDelta(t, p, &discovery.DeltaDiscoveryRequest{
					Node: node("envoy", ""), TypeUrl: typeURL,
					InitialResourceVersions: map[string]string{"x": resourceOf(t, m).Version().String()},
				})
			}
			sendDelta(t, p, &discovery.DeltaDiscoveryRequest{TypeUrl: resourcev3.EndpointType, InitialResourceVersions: held})
			return p
		}
		older := comeBack(map[string]string{"same": version("same", 1), "changed": version("changed", 1), "gone": version("gone", 1)})
		wantDelta(t, "an older config", receiveDelta(t, older), answer{Resources: []string{"changed", "new"}, Removed: []string{"gone"}})
		newest := comeBack(map[string]string{"same": version("same", 1), "changed": version("changed", 2), "new": version("new", 1)})
		wantDelta(t, "the newest config", newest.nextAfter(t, greetingAfter), answer{})
		newest.silent(t, time.Hour)
		strange := comeBack(map[string]string{"same": "1", "changed": version("changed", 2), "new": version("new", 1), "other": "x"})
		wantDelta(t, "another server's", receiveDelta(t, strange), answer{Resources: []string{"same"}, Removed: []string{"other"}})
	})
}

// The one empty response of a delta stream is of endpoints, which no counter of
// Envoy's counts.
func TestResumeDeltaGreeting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newServer(t, nil, xds.Options{})
		r.set(t, xds.AllGroup, staticCluster("a"))
		p := r.deltaPipe(t, "")
		sendDelta(t, p, &discovery.DeltaDiscoveryRequest{
			Node: node("envoy", ""), TypeUrl: resourcev3.ClusterType,
			InitialResourceVersions: map[string]string{"a": resourceOf(t, staticCluster("a")).Version().String()},
		})
		greeting := p.nextAfter(t, greetingAfter)
		wantDelta(t, "greeting", greeting, answer{})
		if greeting.GetTypeUrl() != resourcev3.EndpointType {
			t.Errorf("greeting of %s, want of endpoints", greeting.GetTypeUrl())
		}
		sendDelta(t, p, ackDelta(greeting))
		p.silent(t, time.Hour)
		if diff := cmp.Diff(map[string]float64{"current": 1}, r.resumed(t)); diff != "" {
			t.Errorf("xdsready_resumed_streams_total (-want +got):\n%s", diff)
		}
	})
}
