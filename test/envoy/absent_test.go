package envoy

import (
	"testing"
	"time"

	"github.com/xdsready/xdsready/pkg/xds/admission"
)

// A cluster without a ClusterLoadAssignment gets an empty one, so that it does
// not keep an Envoy from serving all others for 15 s, as it does with
// go-control-plane's own server.
func TestAbsentLoadAssignment(t *testing.T) {
	t.Parallel()
	files := whole(startBackend(t))
	files["clusters.yaml"] = clusters("backend", "scaled-to-zero")
	resources := parse(t, files)

	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			p := startPlane(t, admission.Refuse, true, resources)
			p.open()
			envoy := startEnvoy(t, bootstrap(t, "--xds-address", p.address, "--transport", transport), "all")
			took := eventually(t, "traffic through Envoy", envoy.serves)
			t.Logf("xdsready, %s: traffic %v after Envoy's start", transport, took.Round(time.Millisecond))
			if took > 5*time.Second {
				t.Errorf("traffic %v after Envoy's start: it waited for the absent load assignment", took)
			}
		})
	}
	t.Run("go-control-plane", func(t *testing.T) {
		t.Parallel()
		stock := startStock(t, false)
		stock.publish(t, resources)
		envoy := startEnvoy(t, bootstrap(t, "--xds-address", stock.address, "--transport", "sotw"), "all")
		took := eventually(t, "traffic through Envoy", envoy.serves)
		t.Logf("go-control-plane, sotw: traffic %v after Envoy's start", took.Round(time.Millisecond))
		if took < 10*time.Second {
			t.Errorf("traffic %v after Envoy's start: the placeholder is not needed any more", took)
		}
	})
}
