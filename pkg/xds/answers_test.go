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

// What was rejected is offered again after a minute, then after two, doubling to
// 15 min; other content at once.
func TestRejectedIsOfferedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newServer(t, nil, xds.Options{})
		r.set(t, xds.AllGroup, staticCluster("bad"), staticCluster("good"))
		p := r.asks(t, resourcev3.ClusterType)
		response := receive(t, p)
		for _, minutes := range []int{1, 2, 4, 8, 15, 15} {
			send(t, p, nack(response, "", "Error adding/updating cluster(s) bad: no"))
			response = p.nextAfter(t, time.Duration(minutes)*time.Minute)
			want(t, "again", response, "bad", "good")
		}
		send(t, p, nack(response, "", "Error adding/updating cluster(s) bad: no"))
		changed := staticCluster("bad")
		changed.AltStatName = "other"
		r.set(t, xds.AllGroup, changed, staticCluster("good"))
		response = p.nextAfter(t, 0)
		send(t, p, ack(response))
		p.silent(t, 24*time.Hour)
		if !r.server.Proxies()[0].Converged() {
			t.Errorf("not converged: %+v", r.server.Proxies()[0])
		}
	})
}

// In delta too; and a rejection changes nothing for what was not rejected.
func TestRejectedIsOfferedAgainInDelta(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newServer(t, nil, xds.Options{})
		r.set(t, xds.AllGroup, listener("bad"), listener("good"))
		p := r.subscribes(t, resourcev3.ListenerType)
		rejection := ackDelta(receiveDelta(t, p))
		rejection.ErrorDetail = nack(nil, "", "Error adding/updating listener(s) bad: address in use").GetErrorDetail()
		sendDelta(t, p, rejection)
		again := p.nextAfter(t, time.Minute)
		wantDelta(t, "again", again, answer{Resources: []string{"bad"}})
		sendDelta(t, p, ackDelta(again)) // the port is free
		p.silent(t, time.Hour)
	})
}

// A switch that waits for a cluster which the proxy does not acknowledge goes on
// after its deadlines, and is counted once.
func TestDeadlineIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newServer(t, nil, xds.Options{})
		r.set(t, xds.AllGroup, staticCluster("old"), routesTo("old"))
		p := r.asks(t, resourcev3.ClusterType)
		send(t, p, ack(receive(t, p)))
		send(t, p, &discovery.DiscoveryRequest{TypeUrl: resourcev3.ListenerType})
		send(t, p, ack(receive(t, p)))
		send(t, p, &discovery.DiscoveryRequest{TypeUrl: resourcev3.RouteType, ResourceNames: []string{"table"}})
		send(t, p, ackFor(receive(t, p), "table"))
		r.set(t, xds.AllGroup, staticCluster("new"), routesTo("new"))
		want(t, "clusters", receive(t, p), "new", "old") // and no ACK: it warms for ever
		switched := p.nextAfter(t, 2*time.Minute)
		want(t, "routes", switched, "table")
		want := map[string]float64{"cluster_cold route_table": 1}
		got := counters(t, r.server, "xdsready_publish_step_deadlines_total")
		for labels, n := range got {
			if n == 0 {
				delete(got, labels)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("xdsready_publish_step_deadlines_total (-want +got):\n%s", diff)
		}
	})
}

// What has a TTL is repeated without its content while half of that passes; the
// rest is not.
func TestHeartbeats(t *testing.T) {
	const ttl = 10 * time.Second
	synctest.Test(t, func(t *testing.T) {
		r := newServer(t, nil, xds.Options{})
		r.store.Set(xds.AllGroup, build(t, resourceOf(t, loadAssignment("a")).WithTTL(ttl), resourceOf(t, loadAssignment("b"))))
		sotw, delta := r.asks(t, resourcev3.EndpointType, "a", "b"), r.subscribes(t, resourcev3.EndpointType, "a", "b")
		first, firstDelta := receive(t, sotw), receiveDelta(t, delta)
		send(t, sotw, ackFor(first, "a", "b"))
		sendDelta(t, delta, ackDelta(firstDelta))
		from := time.Now()
		for beat := range 3 {
			alive := receive(t, sotw)
			wantAlive(t, alive, first.GetVersionInfo(), ttl)
			aliveDelta := receiveDelta(t, delta)
			one := aliveDelta.GetResources()
			if len(one) != 1 || one[0].GetName() != "a" || one[0].GetTtl().AsDuration() != ttl || one[0].GetResource() != nil {
				t.Errorf("delta: %v, want a's sign of life", aliveDelta)
			}
			if at, want := time.Since(from), time.Duration(beat+1)*ttl/2; at != want {
				t.Errorf("sign of life %d after %v, want %v", beat, at, want)
			}
			send(t, sotw, ackFor(alive, "a", "b"))
			sendDelta(t, delta, ackDelta(aliveDelta))
		}
	})
}

// wantAlive checks the sign of life of a SotW resource.
func wantAlive(t *testing.T, r *discovery.DiscoveryResponse, version string, ttl time.Duration) {
	t.Helper()
	wrapped := &discovery.Resource{}
	if len(r.GetResources()) != 1 || r.GetVersionInfo() != version {
		t.Fatalf("got %v, want one sign of life with version %q", r, version)
	}
	if err := proto.Unmarshal(r.GetResources()[0].GetValue(), wrapped); err != nil {
		t.Fatal(err)
	}
	if wrapped.GetName() != "a" || wrapped.GetTtl().AsDuration() != ttl || wrapped.GetResource() != nil {
		t.Errorf("got %v, want a's sign of life", wrapped)
	}
}
