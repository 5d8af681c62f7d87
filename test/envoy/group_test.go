package envoy

import (
	"syscall"
	"testing"
	"time"
)

// A proxy of a group that has no config is held, alone and counted; it is
// served as soon as the group has one.
func TestUnknownGroupIsHeld(t *testing.T) {
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			backend := startBackend(t)
			c := startServe(t, under("edge", whole(backend)), "--node-group", "cluster")
			known := startEnvoy(t, bootstrap(t, "--xds-address", c.xds, "--transport", transport), "edge")
			unknown := startEnvoy(t, bootstrap(t, "--xds-address", c.xds, "--transport", transport), "inner")

			eventually(t, "traffic through the Envoy of the known group", known.serves)
			eventually(t, "the count of held streams", func() bool { return c.says("/metrics", "xdsready_unknown_group_streams 1") })
			never(t, "the Envoy of the unknown group is ready", 3*time.Second, unknown.ready)

			for name, text := range under("inner", whole(backend)) {
				c.write(t, name, text)
			}
			eventually(t, "traffic through the Envoy of the new group", unknown.serves)
		})
	}
}

// A control plane that comes back without a proxy's group must not empty the
// proxy: it keeps what it serves.
func TestUnknownGroupIsNotEmptied(t *testing.T) {
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			files := whole(startBackend(t))
			c := startServe(t, under("edge", files), "--node-group", "cluster")
			envoy := startEnvoy(t, bootstrap(t, "--xds-address", c.xds, "--transport", transport), "edge")
			eventually(t, "traffic through Envoy", envoy.serves)
			stop := steadyTraffic(t, envoy)
			c.stop(t, syscall.SIGTERM)

			next := startServe(t, under("other", files), "--node-group", "cluster", "--xds-address", c.xds)
			eventually(t, "the held stream", func() bool { return next.says("/metrics", "xdsready_unknown_group_streams 1") })
			never(t, "Envoy stops serving", 2*time.Second, func() bool { return !envoy.serves() })
			if requests, failed := stop(); failed > 0 || requests == 0 {
				t.Errorf("%d of %d requests failed", failed, requests)
			}
		})
	}
}

// under puts files into the directory of a group.
func under(group string, files map[string]string) map[string]string {
	moved := map[string]string{}
	for name, text := range files {
		moved[group+"/"+name] = text
	}
	return moved
}
