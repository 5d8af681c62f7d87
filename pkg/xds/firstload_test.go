package xds_test

import (
	"testing"
	"testing/synctest"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"

	"github.com/xdsready/xdsready/pkg/xds"
)

// The first load on a stream has no order to keep: a proxy that serves nothing
// gets all that it asks for before it has ACKed any of it.
func TestFirstLoadWaitsForNoACK(t *testing.T) {
	requests := []struct {
		typeURL string
		names   []string
	}{
		{resourcev3.ClusterType, nil},
		{resourcev3.EndpointType, []string{"a"}},
		{resourcev3.ListenerType, nil},
		{resourcev3.RouteType, []string{"table"}},
	}
	config := func(t *testing.T) *rig {
		t.Helper()
		r := newServer(t, nil, xds.Options{})
		r.set(t, xds.AllGroup, edsCluster("a"), endpointsAt("a", 1), listener("l"), routesTo("a"))
		return r
	}
	t.Run("SotW", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := config(t).sotwPipe(t, "")
			for _, q := range requests {
				send(t, p, &discovery.DiscoveryRequest{Node: node("1", ""), TypeUrl: q.typeURL, ResourceNames: q.names})
				if got := p.nextAfter(t, 0); got.GetTypeUrl() != q.typeURL || len(got.GetResources()) != 1 {
					t.Errorf("asked for %s, got %v", q.typeURL, got)
				}
			}
		})
	})
	t.Run("delta", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := config(t).deltaPipe(t, "")
			for _, q := range requests {
				sendDelta(t, p, &discovery.DeltaDiscoveryRequest{Node: node("1", ""), TypeUrl: q.typeURL, ResourceNamesSubscribe: q.names})
				if got := p.nextAfter(t, 0); got.GetTypeUrl() != q.typeURL || len(got.GetResources()) != 1 {
					t.Errorf("asked for %s, got %v", q.typeURL, got)
				}
			}
		})
	})
}
