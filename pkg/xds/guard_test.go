package xds_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/protobuf/proto"

	"github.com/xdsready/xdsready/pkg/xds"
)

// guard is for a server that holds the removal of more than 30 %. Nothing else
// delays a removal.
func guard(hold time.Duration) xds.Options {
	return xds.Options{MaxRemovals: 30, HoldRemovals: hold, RemovalDelay: 1}
}

func assignments(names ...string) (messages []proto.Message) {
	for _, name := range names {
		messages = append(messages, endpointsAt(name, 1))
	}
	return messages
}

func clusters(names ...string) (messages []proto.Message) {
	for _, name := range names {
		messages = append(messages, staticCluster(name))
	}
	return messages
}

// heldRemovals is xdsready_removals_held, and the holds of clusters.
func (r *rig) heldRemovals(t *testing.T) (held, holds float64) {
	t.Helper()
	return gauge(t, r.server, "xdsready_removals_held"), counters(t, r.server, "xdsready_removal_holds_total")["cluster"]
}

// Of a group that loses most of its clusters every proxy keeps them until the hold
// ends, whatever it speaks, and people are told once.
func TestALargeLossWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		o := guard(3 * time.Second)
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
		r := newServer(t, nil, o)
		r.set(t, xds.AllGroup, clusters("a", "b", "c", "d")...)
		delta, sotw := r.subscribes(t, resourcev3.ClusterType), r.asks(t, resourcev3.ClusterType)
		sendDelta(t, delta, ackDelta(receiveDelta(t, delta)))
		send(t, sotw, ack(receive(t, sotw)))

		r.set(t, xds.AllGroup, clusters("d")...)
		synctest.Wait()
		if held, holds := r.heldRemovals(t); held != 6 || holds != 2 {
			t.Errorf("%v removals are held and there were %v holds, want 6 and 2", held, holds)
		}
		for _, p := range r.server.Proxies() {
			if !strings.HasPrefix(p.Waits, "the removal of 3 clusters is held until ") || !p.Converged() {
				t.Errorf("proxy %+v, want one that has converged and says what is held", p)
			}
		}
		wantDelta(t, "then they go", delta.nextAfter(t, 3*time.Second), answer{Removed: []string{"a", "b", "c"}})
		want(t, "then they go", sotw.nextAfter(t, 0), "d")
		if held, _ := r.heldRemovals(t); held != 0 {
			t.Errorf("%v removals are held at the end", held)
		}
		if text := log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, `group=all type=cluster removals="3 of 4" names="[a b c]" for=3s`) {
			t.Errorf("log:\n%s\nwant one line that says what is held", text)
		}
	})
}

// What is back in time was never away; and a later loss is told again.
func TestALossThatComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newServer(t, nil, guard(3*time.Second))
		r.set(t, xds.AllGroup, clusters("a", "b", "c", "d")...)
		p := r.subscribes(t, resourcev3.ClusterType)
		sendDelta(t, p, ackDelta(receiveDelta(t, p)))
		for n := range 2 {
			r.set(t, xds.AllGroup, clusters("d")...)
			p.silent(t, 3*time.Second-1)
			r.set(t, xds.AllGroup, clusters("a", "b", "c", "d")...)
			p.silent(t, time.Hour)
			if held, holds := r.heldRemovals(t); held != 0 || holds != float64(n+1) {
				t.Errorf("%v removals are held and there were %v holds, want none and %d", held, holds, n+1)
			}
		}
	})
}

// A delta proxy brings more than this replica knows: over a network, in real time.
func TestAProxyWithMoreThanTheReplicaKnows(t *testing.T) {
	const hold = 300 * time.Millisecond
	r := newRig(t, nil, guard(hold))
	r.set(t, xds.AllGroup, assignments("d")...)
	initial := map[string]string{}
	for _, name := range []string{"a", "b", "c", "d"} {
		initial[name] = resourceOf(t, endpointsAt(name, 1)).Version().String()
	}
	stream := r.delta(testContext(t), t)
	began := time.Now()
	sendDelta(t, stream, &discovery.DeltaDiscoveryRequest{
		Node: node("envoy", ""), TypeUrl: resourcev3.EndpointType,
		ResourceNamesSubscribe: []string{"a", "b", "c", "d"}, InitialResourceVersions: initial,
	})
	wantDelta(t, "what it may have lost with the stream", receiveDelta(t, stream), answer{Resources: []string{"d"}})
	wantDelta(t, "what is not known", receiveDelta(t, stream), answer{Removed: []string{"a", "b", "c"}})
	if took := time.Since(began); took < hold {
		t.Errorf("it is removed after %v, before the hold of %v ends", took, hold)
	}
}

// Without the option all is as it was.
func TestWithoutAGuard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newServer(t, nil, xds.Options{RemovalDelay: 1})
		r.set(t, xds.AllGroup, clusters("a", "b", "c", "d")...)
		p := r.subscribes(t, resourcev3.ClusterType)
		sendDelta(t, p, ackDelta(receiveDelta(t, p)))
		r.set(t, xds.AllGroup)
		wantDelta(t, "at once", p.nextAfter(t, 1), answer{Removed: []string{"a", "b", "c", "d"}})
		if _, holds := r.heldRemovals(t); holds != 0 {
			t.Errorf("%v holds", holds)
		}
	})
}
