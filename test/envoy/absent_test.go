package envoy

import (
	"context"
	"testing"
	"time"

	clusterservice "github.com/envoyproxy/go-control-plane/envoy/service/cluster/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	serverv3 "github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"

	"github.com/xdsready/xdsready/pkg/cache"
	"github.com/xdsready/xdsready/pkg/xds"
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
		envoy := startEnvoy(t, bootstrap(t, "--xds-address", startStock(t, resources), "--transport", "sotw"), "all")
		took := eventually(t, "traffic through Envoy", envoy.serves)
		t.Logf("go-control-plane, sotw: traffic %v after Envoy's start", took.Round(time.Millisecond))
		if took < 10*time.Second {
			t.Errorf("traffic %v after Envoy's start: the placeholder is not needed any more", took)
		}
	})
}

// startStock serves the resources with go-control-plane's server and cache,
// without a gate or placeholders.
func startStock(t *testing.T, resources []cache.Resource) string {
	t.Helper()
	byType := map[string][]types.Resource{}
	for _, r := range resources {
		byType[r.TypeURL()] = append(byType[r.TypeURL()], r.Message())
	}
	snapshot, err := cachev3.NewSnapshot("1", byType)
	if err != nil {
		t.Fatal(err)
	}
	snapshots := cachev3.NewSnapshotCache(false, anyNode{}, nil)
	if err := snapshots.SetSnapshot(t.Context(), xds.AllGroup, snapshot); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	stock := serverv3.NewServer(ctx, snapshots, nil)
	server := grpc.NewServer()
	discovery.RegisterAggregatedDiscoveryServiceServer(server, stock)
	clusterservice.RegisterClusterDiscoveryServiceServer(server, stock)
	return serve(t, server, nil, false)
}
