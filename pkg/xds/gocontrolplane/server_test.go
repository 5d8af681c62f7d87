package gocontrolplane_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	clusterservice "github.com/envoyproxy/go-control-plane/envoy/service/cluster/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	serverv3 "github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/xdsready/xdsready/pkg/xds"
	"github.com/xdsready/xdsready/pkg/xds/gocontrolplane"
)

var _ serverv3.Server = (*gocontrolplane.Server)(nil)

// until reads responses until the proxy has exactly the clusters wanted. A server
// that adds before it removes takes more than one.
func until(t *testing.T, p proxy, want ...string) {
	t.Helper()
	for {
		has, err := p.next()
		if err != nil {
			t.Fatalf("waiting for the clusters %q: %v", want, err)
		}
		slices.Sort(has)
		if slices.Equal(has, want) {
			return
		}
	}
}

func TestSnapshotCache(t *testing.T) {
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			for _, ads := range []bool{false, true} {
				snapshots := cachev3.NewSnapshotCache(ads, byCluster{}, nil)
				setSnapshot(t, snapshots, "1", "a")
				p := v.connect(t, dial(t, ours(t, snapshots, nil)))
				p.subscribe(t, "p")
				until(t, p, "a")
				setSnapshot(t, snapshots, "2", "a", "b")
				until(t, p, "a", "b")
				setSnapshot(t, snapshots, "3", "b")
				until(t, p, "b")
			}
		})
	}
}

// TestSnapshotLater has a proxy that is there before the first snapshot is.
func TestSnapshotLater(t *testing.T) {
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			snapshots := cachev3.NewSnapshotCache(true, byCluster{}, nil)
			seen := make(chan struct{}, 1)
			p := v.connect(t, dial(t, ours(t, snapshots, serverv3.CallbackFuncs{
				StreamRequestFunc:      func(int64, *discovery.DiscoveryRequest) error { return notify(seen) },
				StreamDeltaRequestFunc: func(int64, *discovery.DeltaDiscoveryRequest) error { return notify(seen) },
			})))
			p.subscribe(t, "p")
			<-seen
			setSnapshot(t, snapshots, "1", "a")
			until(t, p, "a")
		})
	}
}

func notify(seen chan<- struct{}) error {
	select {
	case seen <- struct{}{}:
	default:
	}
	return nil
}

// TestSameVersion stores other content under the version that proxies have.
func TestSameVersion(t *testing.T) {
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			snapshots := cachev3.NewSnapshotCache(true, byCluster{}, nil)
			setSnapshot(t, snapshots, "1", "a")
			p := v.connect(t, dial(t, ours(t, snapshots, nil)))
			p.subscribe(t, "p")
			until(t, p, "a")
			setSnapshot(t, snapshots, "1", "b")
			until(t, p, "b")
		})
	}
}

func TestMuxCache(t *testing.T) {
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			clusters := cachev3.NewLinearCache(resourcev3.ClusterType,
				cachev3.WithInitialResources(map[string]types.Resource{"a": cluster("a")}))
			endpoints := cachev3.NewLinearCache(resourcev3.EndpointType)
			// No ClassifyDelta, for a program that served SotW alone.
			mux := &cachev3.MuxCache{
				Classify: func(r *cachev3.Request) string { return r.GetTypeUrl() },
				Caches:   map[string]cachev3.Cache{resourcev3.ClusterType: clusters, resourcev3.EndpointType: endpoints},
			}
			p := v.connect(t, dial(t, ours(t, mux, nil)))
			p.subscribe(t, "p")
			until(t, p, "a")
			if err := clusters.UpdateResource("b", cluster("b")); err != nil {
				t.Fatal(err)
			}
			until(t, p, "a", "b")
			if err := clusters.DeleteResource("a"); err != nil {
				t.Fatal(err)
			}
			until(t, p, "b")
		})
	}
}

// TestMuxOfSnapshots has a MuxCache that takes one type from elsewhere.
func TestMuxOfSnapshots(t *testing.T) {
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			snapshots := cachev3.NewSnapshotCache(false, byCluster{}, nil)
			endpoints := cachev3.NewLinearCache(resourcev3.EndpointType)
			mux := &cachev3.MuxCache{
				ClassifyDelta: func(r *cachev3.DeltaRequest) string {
					if r.GetTypeUrl() == resourcev3.EndpointType {
						return "endpoints"
					}
					return "rest"
				},
				Caches: map[string]cachev3.Cache{"endpoints": endpoints, "rest": snapshots},
			}
			setSnapshot(t, snapshots, "1", "a")
			p := v.connect(t, dial(t, ours(t, mux, nil)))
			p.subscribe(t, "p")
			until(t, p, "a")
			setSnapshot(t, snapshots, "2", "b")
			until(t, p, "b")
		})
	}
}

func TestLinearCache(t *testing.T) {
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			clusters := cachev3.NewLinearCache(resourcev3.ClusterType)
			p := v.connect(t, dial(t, ours(t, clusters, nil)))
			p.subscribe(t, "p")
			until(t, p)
			clusters.SetResources(map[string]types.Resource{"a": cluster("a")})
			until(t, p, "a")
		})
	}
}

// TestRefusedSnapshot stores one that names a cluster twice: its proxies keep
// what they have and get the next good one.
func TestRefusedSnapshot(t *testing.T) {
	snapshots := cachev3.NewSnapshotCache(true, byCluster{}, nil)
	setSnapshot(t, snapshots, "1", "a")
	v := variants[0]
	conn := dial(t, ours(t, snapshots, nil))
	p := v.connect(t, conn)
	p.subscribe(t, "p")
	until(t, p, "a")

	bad := &cachev3.Snapshot{}
	bad.Resources[types.Cluster] = cachev3.Resources{Version: "2", Items: map[string]types.ResourceWithTTL{
		"x": {Resource: cluster("b")}, "y": {Resource: cluster("b")},
	}}
	if err := snapshots.SetSnapshot(t.Context(), group, bad); err != nil {
		t.Fatal(err)
	}
	late := v.connect(t, conn)
	late.subscribe(t, "late")
	until(t, late, "a")

	setSnapshot(t, snapshots, "3", "c")
	until(t, p, "c")
}

// TestFetch asks by a unary call, which is go-control-plane's own to answer.
func TestFetch(t *testing.T) {
	snapshots := cachev3.NewSnapshotCache(false, byCluster{}, nil)
	setSnapshot(t, snapshots, "1", "a")
	client := clusterservice.NewClusterDiscoveryServiceClient(dial(t, ours(t, snapshots, nil)))
	r, err := client.FetchClusters(testContext(t), &discovery.DiscoveryRequest{Node: node("p")})
	if err != nil || len(r.GetResources()) != 1 {
		t.Errorf("FetchClusters: %d resources, %v, want 1", len(r.GetResources()), err)
	}
}

// TestEnd ends the server's context: its streams end.
func TestEnd(t *testing.T) {
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			snapshots := cachev3.NewSnapshotCache(true, byCluster{}, nil)
			setSnapshot(t, snapshots, "1", "a")
			ctx, end := context.WithCancel(t.Context())
			p := v.connect(t, dial(t, gocontrolplane.NewServer(ctx, snapshots, nil, gocontrolplane.Options{Hash: byCluster{}})))
			p.subscribe(t, "p")
			until(t, p, "a")
			end()
			if _, err := p.next(); err == nil || status.Code(err) == codes.DeadlineExceeded {
				t.Errorf("the stream ended with %v, want an end by the server", err)
			}
		})
	}
}

// TestMistakes are what NewServer panics for.
func TestMistakes(t *testing.T) {
	good := cachev3.NewSnapshotCache(true, byCluster{}, nil)
	type opaque struct{ cachev3.Cache }
	type value struct {
		cachev3.SnapshotCache
		_ map[string]int
	}
	for _, row := range []struct {
		name    string
		cache   cachev3.Cache
		options gocontrolplane.Options
		want    string
	}{
		{"opaque cache", opaque{good}, gocontrolplane.Options{}, "opaque can not be read"},
		{
			"opaque part", &cachev3.MuxCache{Caches: map[string]cachev3.Cache{"x": opaque{good}}},
			gocontrolplane.Options{}, `part "x" of the MuxCache`,
		},
		{"cache of no identity", value{SnapshotCache: good}, gocontrolplane.Options{}, "value can not be compared"},
		{"retention", good, gocontrolplane.Options{Retention: -1}, "retention is -1ns"},
		{"group", good, gocontrolplane.Options{Server: xds.Options{Group: byCluster{}.ID}}, "Server.Group is set"},
		{"server option", good, gocontrolplane.Options{Server: xds.Options{MaxUnknown: -1}}, "MaxUnknown is -1"},
	} {
		t.Run(row.name, func(t *testing.T) {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, row.want) {
					t.Errorf("NewServer panicked with %q, want one with %q", got, row.want)
				}
			}()
			gocontrolplane.NewServer(t.Context(), row.cache, nil, row.options)
		})
	}
}
