package xds_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/grpc/codes"

	"github.com/xdsready/xdsready/pkg/xds"
)

// A stream of a server that does not run yet gets what the store has, and later
// changes when it runs.
func TestStreamBeforeRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newIdleServer(t, nil, xds.Options{})
		r.set(t, xds.AllGroup, edsCluster("a"))
		p := r.asks(t, resourcev3.ClusterType)
		first := receive(t, p)
		want(t, "before Run", first, "a")
		send(t, p, ack(first))
		r.set(t, xds.AllGroup, edsCluster("a"), edsCluster("b"))
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan error, 1)
		go func() { ran <- r.server.Run(ctx) }()
		want(t, "when it runs", receive(t, p), "a", "b")
		cancel()
		if err := <-ran; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// Run's end ends every stream at once, whatever it is at, and so that proxies go
// to another replica.
func TestRunEndsStreams(t *testing.T) {
	for name, open := range map[string]func(*testing.T, *rig) *sotwPipe{
		"that has said nothing": func(t *testing.T, r *rig) *sotwPipe { t.Helper(); return r.sotwPipe(t, "") },
		"that is idle": func(t *testing.T, r *rig) *sotwPipe {
			t.Helper()
			p := r.asks(t, resourcev3.ClusterType)
			send(t, p, ack(receive(t, p)))
			return p
		},
		"that does not read": func(t *testing.T, r *rig) *sotwPipe { t.Helper(); return r.asks(t, resourcev3.ClusterType) },
		"of an unknown group": func(t *testing.T, r *rig) *sotwPipe {
			t.Helper()
			p := r.sotwPipe(t, "")
			send(t, p, &discovery.DiscoveryRequest{Node: node("1", "unknown"), TypeUrl: resourcev3.ClusterType})
			return p
		},
		"that waits for its turn": func(t *testing.T, r *rig) *sotwPipe {
			t.Helper()
			r.asks(t, resourcev3.ClusterType)
			return r.asks(t, resourcev3.ClusterType)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newServer(t, nil, xds.Options{Group: byCluster, MaxInitialSyncs: 1})
				r.set(t, "", staticCluster("a"))
				p := open(t, r)
				from := time.Now()
				r.stop()
				<-p.ended
				wantStatus(t, p.err, codes.Unavailable, "the control plane stops")
				if took := time.Since(from); took > 0 {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

// A group that the store has dropped leaves its streams what they have. When it
// is back they go on with that.
func TestGroupComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newServer(t, nil, xds.Options{Group: byCluster})
		r.set(t, "", loadAssignment("a"))
		p := r.asks(t, resourcev3.EndpointType, "a")
		first := receive(t, p)
		send(t, p, ackFor(first, "a"))
		r.store.Remove("", time.Now())
		r.store.Expire(time.Now(), 0)
		p.silent(t, time.Hour)
		send(t, p, ackFor(first, "a", "b")) // it is not forgotten either
		r.set(t, "", loadAssignment("a"), endpointsAt("b", 1))
		want(t, "when it is back", p.nextAfter(t, 0), "b")
		r.set(t, "", endpointsAt("a", 1), endpointsAt("b", 1))
		want(t, "and changes", p.nextAfter(t, 0), "a")
	})
}

// One Server may stand behind several grpc servers.
func TestTwoRegisteredServers(t *testing.T) {
	r := newRig(t, nil, xds.Options{})
	r.set(t, xds.AllGroup, edsCluster("a"))
	first := r.sotw(testContext(t), t)
	r.conn = r.listen(t, r.server.GRPCOptions()...)
	second := r.sotw(testContext(t), t)
	for _, stream := range []sotwStream{first, second} {
		send(t, stream, &discovery.DiscoveryRequest{Node: node("1", ""), TypeUrl: resourcev3.ClusterType})
		send(t, stream, ack(receive(t, stream)))
	}
	r.set(t, xds.AllGroup, edsCluster("a"), edsCluster("b"))
	for _, stream := range []sotwStream{first, second} {
		want(t, "a change", receive(t, stream), "a", "b")
	}
	if got := len(r.server.Proxies()); got != 2 {
		t.Errorf("%d proxies, want 2", got)
	}
}

// Streams come while snapshots do: none stays on an older one.
func TestStreamsComeWhileSnapshotsDo(t *testing.T) {
	r := newServer(t, nil, xds.Options{})
	r.set(t, xds.AllGroup, endpointsAt("a", 1))
	r.conn = r.listen(t)
	const last = 300
	done := make(chan struct{})
	go func() {
		defer close(done)
		for weight := range uint32(last) {
			r.set(t, xds.AllGroup, endpointsAt("a", weight+1))
		}
	}()
	newest := snapshotOf(t, endpointsAt("a", last)).Version(resourcev3.EndpointType).String()
	for range 20 {
		stream := r.sotw(testContext(t), t)
		send(t, stream, &discovery.DiscoveryRequest{Node: node("1", ""), TypeUrl: resourcev3.EndpointType, ResourceNames: []string{"a"}})
		for got := ""; got != newest; {
			response := receive(t, stream)
			got = response.GetVersionInfo()
			send(t, stream, ackFor(response, "a"))
		}
	}
	<-done
}
