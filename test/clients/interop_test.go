package clients

import (
	"fmt"
	"testing"
	"time"
)

// swaps is how often the service moves to another cluster: a server that does
// not keep the order fails some calls of each client in this many, not in each.
const swaps = 50

// Each change replaces the config at once: what is new and what is gone are in
// one snapshot, and it is for the server to find the order that no call notices.
func TestNoCallFailsWhileTheConfigChanges(t *testing.T) {
	for name, command := range commands {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			here, there := startBackend(t, "blue"), startBackend(t, "green")
			now := config{routes: "routes", cluster: "cluster", backend: here}
			p := startPlane(t, free(t), now)
			c := start(t, command("xds:///"+service), p.address)
			t.Logf("first answer after %v", c.wantMove(t, "", here.name, patience))
			p.awaitAcknowledged(t)

			change := func() time.Duration {
				t.Helper()
				here, there = there, here
				now.backend = here
				p.publish(t, now)
				took := c.wantMove(t, there.name, here.name, prompt)
				p.awaitAcknowledged(t)
				return took
			}
			var slowest time.Duration
			for i := range swaps {
				now.cluster = fmt.Sprintf("cluster-%d", i)
				slowest = max(slowest, change())
			}
			t.Logf("another cluster %d times, after at most %v", swaps, slowest)

			t.Logf("another endpoint of the same cluster after %v", change())

			now.routes, now.cluster = "other-routes", "other-cluster"
			t.Logf("another route table and cluster after %v", change())
		})
	}
}

// A client that comes back with the version that is current is sent nothing that
// it would have to take for a change: to gRPC, a set of clusters or listeners
// without a name that it has asked for removes what has that name.
func TestNoCallFailsWhileTheControlPlaneRestarts(t *testing.T) {
	for name, command := range commands {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before, after := startBackend(t, "blue"), startBackend(t, "green")
			first := config{routes: "routes", cluster: "cluster", backend: before}
			p := startPlane(t, free(t), first)
			c := start(t, command("xds:///"+service), p.address)
			c.wantMove(t, "", before.name, patience)
			p.awaitAcknowledged(t)

			p.stop()
			p = startPlane(t, p.address, first)
			p.awaitAcknowledged(t)

			p.publish(t, config{routes: "routes", cluster: "other-cluster", backend: after})
			t.Logf("another cluster after %v", c.wantMove(t, before.name, after.name, prompt))
			p.awaitAcknowledged(t)
		})
	}
}
