package gocontrolplane_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/xdsready/xdsready/pkg/ready"
	"github.com/xdsready/xdsready/pkg/xds"
	"github.com/xdsready/xdsready/pkg/xds/gocontrolplane"
)

// When NewServer's context ends the proxies are handed over, and only then does
// Drained's end.
func TestDrained(t *testing.T) {
	snapshots := cachev3.NewSnapshotCache(true, byCluster{}, nil)
	setSnapshot(t, snapshots, "1", "a")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	server := gocontrolplane.NewServer(ctx, snapshots, nil, gocontrolplane.Options{
		Hash: byCluster{}, Registry: ready.New("inputs"), Server: xds.Options{Logger: slog.New(slog.DiscardHandler), DrainDelay: 200 * time.Millisecond},
	})
	stream, err := discovery.NewAggregatedDiscoveryServiceClient(dial(t, server)).StreamAggregatedResources(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	ask := &discovery.DiscoveryRequest{Node: node("1"), TypeUrl: resourcev3.ClusterType}
	if err := stream.Send(ask); err != nil {
		t.Fatal(err)
	}
	config, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	stopped := time.Now()
	stop()
	ask.VersionInfo, ask.ResponseNonce = config.GetVersionInfo(), config.GetNonce()
	if err := stream.Send(ask); err != nil { // it is served on
		t.Fatal(err)
	}
	if _, err := stream.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("the stream ends with %v, want UNAVAILABLE", err)
	}
	select {
	case <-server.Drained().Done():
	case <-time.After(patience):
		t.Fatal("Drained does not end")
	}
	if took := time.Since(stopped); took < 200*time.Millisecond {
		t.Errorf("Drained ended after %v, before the delay had passed", took)
	}
}
