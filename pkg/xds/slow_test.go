package xds_test

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/grpc/codes"

	"github.com/xdsready/xdsready/pkg/xds"
)

// A proxy that does not read is given up after a while. Nobody else waits for
// it meanwhile: one that reads has every change at once.
func TestStuckReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newServer(t, nil, xds.Options{})
		r.set(t, xds.AllGroup, loadAssignment("a"))
		good := r.asks(t, resourcev3.EndpointType, "a")
		send(t, good, ackFor(receive(t, good), "a"))
		stuck := r.asks(t, resourcev3.EndpointType, "a") // its response is never read
		from := time.Now()
		for second := range uint32(39) {
			r.set(t, xds.AllGroup, endpointsAt("a", second+1))
			send(t, good, ackFor(good.nextAfter(t, 0), "a"))
			good.silent(t, time.Second)
		}
		<-stuck.ended
		wantStatus(t, stuck.err, codes.Unavailable, "the proxy has not read a response within 40s")
		if took := time.Since(from); took != 40*time.Second {
			t.Errorf("ended after %v, want 40 s", took)
		}
		if got := counters(t, r.server, "xdsready_requests_refused_total")["stuck"]; got != 1 {
			t.Errorf("xdsready_requests_refused_total{reason=stuck} is %v, want 1", got)
		}
	})
}

// A proxy that reads slowly is not stuck, for the deadline is that of one
// response. It gets the newest config then, not all that it has missed.
func TestSlowReaderGetsTheNewest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newServer(t, nil, xds.Options{})
		r.set(t, xds.AllGroup, endpointsAt("a", 1))
		slow := r.subscribes(t, resourcev3.EndpointType, "a")
		for round := range uint32(3) {
			time.Sleep(39 * time.Second)
			sendDelta(t, slow, ackDelta(receiveDelta(t, slow))) // what was the newest when it began to be sent
			for change := range uint32(5) {
				r.set(t, xds.AllGroup, endpointsAt("a", 10*round+change+2))
				synctest.Wait()
			}
		}
		receiveDelta(t, slow) // the first of the last five
		newest := receiveDelta(t, slow)
		if got, want := newest.GetResources()[0].GetVersion(), resourceOf(t, endpointsAt("a", 26)).Version().String(); got != want {
			t.Errorf("version %q, want that of the newest, %q", got, want)
		}
		slow.silent(t, time.Hour)
	})
}

// What is not read costs what two responses and the resources in them cost,
// however many changes there are: over a real connection, with its buffers.
func TestUnreadResponsesAreBounded(t *testing.T) {
	const (
		streams = 2
		changes = 100
		size    = 256 << 10 // of a change
	)
	r := newServer(t, nil, xds.Options{})
	unread := r.listen(t, r.server.GRPCOptions()...)
	r.conn = r.listen(t, r.server.GRPCOptions()...)
	last := 0
	change := func() {
		last++
		cluster := staticCluster("big")
		cluster.AltStatName = fmt.Sprint(strings.Repeat("x", size), last)
		r.set(t, xds.AllGroup, cluster)
	}
	change()
	good := r.sotw(testContext(t), t)
	send(t, good, &discovery.DiscoveryRequest{Node: node("good", ""), TypeUrl: resourcev3.ClusterType})
	send(t, good, ack(receive(t, good)))
	cost := func() int64 {
		before := heap()
		for range changes {
			change()
			send(t, good, ack(receive(t, good)))
		}
		return heap() - before
	}
	usual := cost() // the older generations, which are remembered

	for i := range streams {
		stuck := call[discovery.DiscoveryRequest, discovery.DiscoveryResponse](t, unread, sotwADS)
		send(t, stuck, &discovery.DiscoveryRequest{Node: node(fmt.Sprint(i), ""), TypeUrl: resourcev3.ClusterType})
	}
	eventually(t, "the streams", func() bool { return len(r.server.Proxies()) == streams+1 })
	if more, most := cost()-usual, int64(16*streams*size); more > most {
		t.Errorf("%d changes of %d kB cost %d kB more with %d streams that do not read, want at most %d kB",
			changes, size>>10, more>>10, streams, most>>10)
	}
}

// heap is the size of what is alive, when what earlier tests have left is gone:
// pools and cleanups take several collections.
func heap() int64 {
	smallest := int64(math.MaxInt64)
	for quiet := 0; quiet < 5; quiet++ {
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		if alive := int64(stats.HeapAlloc); alive < smallest-64<<10 { //nolint:gosec // it fits
			smallest, quiet = alive, 0
		}
	}
	return smallest
}
