package envoy

import (
	"testing"
	"time"

	"github.com/xdsready/xdsready/pkg/xds/admission"
)

// Behind one balanced address, a replica that is not ready sends the Envoy on:
// its connection is closed, and the next one leads to the replica that is.
func TestRefusedProxyReachesTheReadyReplica(t *testing.T) {
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			resources := parse(t, whole(startBackend(t)))
			starting := startPlane(t, admission.Refuse, true, resources)
			ready := startPlane(t, admission.Refuse, true, resources)
			ready.open()
			address := startBalancer(t, starting.address, ready.address)
			envoy := startEnvoy(t, bootstrap(t, "--xds-address", address.address, "--transport", transport), "all")

			took := eventually(t, "traffic through Envoy", envoy.serves)
			t.Logf("%s: traffic %v after Envoy's start, over %d connections", transport, took.Round(time.Millisecond), address.connections.Load())
			if took > 2*time.Second {
				t.Errorf("traffic %v after Envoy's start, want 2s at most", took)
			}
			if n := address.connections.Load(); n < 2 {
				t.Errorf("%d connections: the first replica did not refuse it", n)
			}
		})
	}
}

// Why the listener is wrapped: where a refusal leaves the connection open,
// Envoy tries again on it and never reaches the replica that is ready.
func TestRefusalThatKeepsTheConnectionIsATrap(t *testing.T) {
	t.Parallel()
	resources := parse(t, whole(startBackend(t)))
	starting := startPlane(t, admission.Refuse, false, resources)
	ready := startPlane(t, admission.Refuse, false, resources)
	ready.open()
	address := startBalancer(t, starting.address, ready.address)
	envoy := startEnvoy(t, bootstrap(t, "--xds-address", address.address), "all")
	never(t, "the Envoy reaches the ready replica", 10*time.Second, envoy.ready)
}
