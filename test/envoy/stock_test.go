package envoy

import (
	"context"
	"strconv"
	"testing"

	clusterservice "github.com/envoyproxy/go-control-plane/envoy/service/cluster/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	serverv3 "github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"

	"github.com/xdsready/xdsready/pkg/cache"
	"github.com/xdsready/xdsready/pkg/xds"
)

// stock is go-control-plane's own server and cache, without a gate or
// placeholders: what the tests compare with.
type stock struct {
	snapshots cachev3.SnapshotCache
	address   string // of the xDS server
	published int
}

// startStock runs the server until the test ends. With ads, its cache sends the
// types in order and answers no request whose names do not cover the snapshot.
func startStock(t *testing.T, ads bool) *stock {
	t.Helper()
	s := &stock{snapshots: cachev3.NewSnapshotCache(ads, anyNode{}, nil)}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	server := serverv3.NewServer(ctx, s.snapshots, nil)
	grpcServer := grpc.NewServer()
	discovery.RegisterAggregatedDiscoveryServiceServer(grpcServer, server)
	clusterservice.RegisterClusterDiscoveryServiceServer(grpcServer, server)
	s.address = serve(t, grpcServer, nil, false)
	return s
}

// publish makes resources the config of every proxy.
func (s *stock) publish(t *testing.T, resources []cache.Resource) {
	t.Helper()
	byType := map[string][]types.Resource{}
	for _, r := range resources {
		byType[r.TypeURL()] = append(byType[r.TypeURL()], r.Message())
	}
	s.published++
	snapshot, err := cachev3.NewSnapshot(strconv.Itoa(s.published), byType)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.snapshots.SetSnapshot(t.Context(), xds.AllGroup, snapshot); err != nil {
		t.Fatal(err)
	}
}
