package envoy

import (
	"testing"
	"time"
)

// removalDelay is longer than the requests of the tests are held.
const removalDelay = 3 * time.Second

// Whatever is replaced, and whatever goes wrong beside it, no request fails.
func TestSwap(t *testing.T) {
	for _, s := range []scenario{
		{name: "listeners", config: listenerSwap, drain: "12", witness: "listener_manager.listener_in_place_updated"},
		{name: "clusters", config: clusterSwap},
		{name: "clusters in bursts", config: clusterSwap, burst: 3},
		{name: "endpoints", config: endpointSwap},
		{name: "clusters beside 500 others", config: clusterSwap, beside: manyClusters()},
		{name: "clusters beside a rejected one", config: rejectedSwap, witness: "cluster_manager.cds.update_rejected"},
		{name: "clusters beside one that never warms", config: warmingSwap(startSilent(t)), witness: "cluster_manager.warming_clusters"},
	} {
		for _, transport := range transports {
			t.Run(s.name+"/"+transport, func(t *testing.T) {
				t.Parallel()
				server := startOrdered(t, removalDelay)
				traffic := runSwaps(t, "xdsready, "+transport, s, server, bootstrap(t, "--xds-address", server.address, "--transport", transport))
				if failed := traffic.count().failed; failed > 0 {
					t.Errorf("%d requests failed", failed)
				}
			})
		}
	}
}

// The same requests do fail with a server that sends each type as soon as it
// has changed: the traffic can tell the one from the other.
func TestSwapWithoutOrder(t *testing.T) {
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			server := startStock(t, true)
			traffic := runSwaps(t, "go-control-plane, "+transport, scenario{name: "clusters", config: clusterSwap}, server,
				bootstrap(t, "--xds-address", server.address, "--transport", transport))
			if traffic.count().failed == 0 {
				t.Error("no request failed")
			}
		})
	}
}

// A removal delay that is shorter than a filter holds requests costs those
// requests, and no others: no proxy tells which clusters it still needs for them.
func TestSwapHeldTooLong(t *testing.T) {
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			server := startOrdered(t, 100*time.Millisecond)
			traffic := runSwaps(t, "xdsready, "+transport, scenario{name: "clusters", config: clusterSwap}, server,
				bootstrap(t, "--xds-address", server.address, "--transport", transport))
			held := traffic.count("held").failed
			if held == 0 {
				t.Error("no held request failed")
			}
			if others := traffic.count().failed - held; others > 0 {
				t.Errorf("%d requests failed that were not held", others)
			}
		})
	}
}
