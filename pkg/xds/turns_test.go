package xds_test

import (
	"testing"
	"testing/synctest"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"

	"github.com/xdsready/xdsready/pkg/xds"
)

// turnTime is how long a stream keeps its turn for its first config.
const turnTime = 2 * time.Second

// oneTurn is a server that gives first config to one proxy at a time.
func oneTurn(t *testing.T) *rig {
	t.Helper()
	r := newServer(t, nil, xds.Options{MaxInitialSyncs: 1})
	r.set(t, xds.AllGroup, staticCluster("a"))
	return r
}

// arrive opens a stream that asks for clusters, a moment after the one before.
func (r *rig) arrive(t *testing.T) *sotwPipe {
	t.Helper()
	time.Sleep(time.Millisecond)
	return r.asks(t, resourcev3.ClusterType)
}

// Who came first gets its config first; the next is let in by the ACK.
func TestFirstComeFirstServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := oneTurn(t)
		var queue []*sotwPipe
		for range 4 {
			queue = append(queue, r.arrive(t))
		}
		for i, p := range queue {
			first := p.nextAfter(t, 0)
			synctest.Wait()
			for _, later := range queue[i+1:] {
				select {
				case m := <-later.responses:
					t.Fatalf("stream %d is not done, and a later one gets %v", i, m)
				default:
				}
			}
			send(t, p, ack(first))
		}
	})
}

// One that is slow goes on beside the next after its time.
func TestSlowOneGivesUpItsTurn(t *testing.T) {
	for name, slow := range map[string]func(*testing.T, *sotwPipe){
		"to answer": func(t *testing.T, p *sotwPipe) { t.Helper(); receive(t, p) },
		"to read":   func(*testing.T, *sotwPipe) {},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := oneTurn(t)
				first := r.arrive(t)
				slow(t, first)
				second := r.arrive(t)
				third := r.arrive(t)
				second.nextAfter(t, turnTime-2*time.Millisecond) // since the first's turn began
				third.nextAfter(t, turnTime)                     // and the second's
			})
		})
	}
}

// A stream that ends frees its place, whether it had its turn or waited for it.
func TestEndedStreamFreesItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := oneTurn(t)
		first, second, third := r.arrive(t), r.arrive(t), r.arrive(t)
		receive(t, first)
		second.CloseSend()
		<-second.ended
		third.silent(t, time.Second)
		first.CloseSend()
		third.nextAfter(t, 0)
	})
}

// A proxy that has the current config needs no turn, one that asks for nothing
// new neither, and a stream that is done gets its updates without one.
func TestResumedStreamNeedsNoTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := oneTurn(t)
		done := r.arrive(t)
		config := receive(t, done)
		send(t, done, ack(config))

		slow := r.arrive(t)
		receive(t, slow)
		waiting := r.arrive(t)

		resumed := r.sotwPipe(t, "")
		again := ack(config)
		again.Node, again.ResponseNonce = node("envoy", ""), ""
		send(t, resumed, again)
		if greeting := resumed.nextAfter(t, greetingAfter); len(greeting.GetResources()) > 0 {
			t.Errorf("resumed: %v, want no resources", greeting)
		}
		r.set(t, xds.AllGroup, staticCluster("a"), staticCluster("b"))
		want(t, "update of a resumed stream", resumed.nextAfter(t, 0), "a", "b")
		want(t, "update of a stream that is done", done.nextAfter(t, 0), "a", "b")
		waiting.nextAfter(t, turnTime-greetingAfter-time.Millisecond)
	})
}

// A turn lasts until all types that the proxy asks for have been acknowledged.
func TestTurnCoversAllTypes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := oneTurn(t)
		first, second := r.arrive(t), r.arrive(t)
		clusters := receive(t, first)
		send(t, first, &discovery.DiscoveryRequest{TypeUrl: resourcev3.ListenerType})
		listeners := receive(t, first)
		send(t, first, ack(clusters))
		second.silent(t, time.Second)
		send(t, first, ack(listeners))
		second.nextAfter(t, 0)
	})
}

// Who has nothing comes before who serves with something older, whoever came first.
func TestColdBeforeOlder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := oneTurn(t)
		done := r.arrive(t)
		config := receive(t, done)
		send(t, done, ack(config))
		r.set(t, xds.AllGroup, staticCluster("b"))
		send(t, done, ack(receive(t, done)))

		first := r.arrive(t)
		update := receive(t, first)
		older := r.sotwPipe(t, "")
		again := ack(config)
		again.Node, again.ResponseNonce = node("envoy", ""), ""
		send(t, older, again)
		time.Sleep(greetingAfter)
		cold := r.arrive(t)
		send(t, first, ack(update))
		want(t, "the one that has nothing", cold.nextAfter(t, 0), "b")
		older.silent(t, time.Second)
		send(t, cold, ack(update))
		want(t, "then the one that has something older", older.nextAfter(t, 0), "a", "b") // a goes later
	})
}
