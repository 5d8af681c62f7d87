// Command ordered is embed-go-control-plane with the gate, and with this module's
// server in place of go-control-plane's: one constructor is another, and gRPC's
// health service follows the gate. The cache, and what fills it, stay.
//
// Where a backend is replaced, go-control-plane's server sends each type as soon
// as it is stored. This one adds the new cluster, waits until the proxy has it,
// moves the routes, and removes the old cluster when nothing routes to it.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	adsv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"github.com/xdsready/xdsready/pkg/ready"
	"github.com/xdsready/xdsready/pkg/xds/admission"
	"github.com/xdsready/xdsready/pkg/xds/gocontrolplane"
)

var (
	xdsAddress  = flag.String("xds-address", "127.0.0.1:18000", "address for proxies (gRPC)")
	httpAddress = flag.String("http-address", "127.0.0.1:8080", "address for probes (HTTP)")
	backendsURL = flag.String("backends", "http://127.0.0.1:8500/backends", `where to ask for [{"group":"edge","name":"web"}, …]`)
)

// backend is a service that the proxies of one group may route to.
type backend struct{ Group, Name string }

// byCluster puts a proxy into the group that its node.cluster names.
type byCluster struct{}

func (byCluster) ID(node *corev3.Node) string { return node.GetCluster() }

func main() {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		slog.Error("stopped", "error", err)
		os.Exit(1)
	}
}

// run serves until ctx ends.
func run(ctx context.Context) error {
	reg := ready.New("snapshot")
	ctx = reg.WithDrain(ctx, 5*time.Second)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return reg.Start(ctx) })

	snapshots := cache.NewSnapshotCache(true, byCluster{}, nil)
	group.Go(func() error { follow(ctx, snapshots, reg); return nil })
	group.Go(func() error { return serveProbes(ctx, reg) })
	group.Go(func() error { return serveXDS(ctx, grpc.NewServer(admission.ServerOptions(reg)...), snapshots, reg) })
	return group.Wait()
}

// follow stores what the service registry knows, once a second until ctx ends.
func follow(ctx context.Context, snapshots cache.SnapshotCache, reg *ready.Registry) {
	snapshot := reg.Tier("snapshot").Snapshot("xds")
	for ; ctx.Err() == nil; wait(ctx, time.Second) {
		stored := snapshot.Begin()
		backends, version, err := fetch(ctx)
		if err != nil {
			reg.Tier("snapshot").Fail("xds", err)
			slog.Error("asking for backends", "error", err)
			continue
		}
		if err := store(ctx, snapshots, backends, version); err != nil {
			reg.Tier("snapshot").Fail("xds", err)
			slog.Error("storing a snapshot", "error", err)
			continue
		}
		stored()
	}
}

// fetch returns the backends, and a version that changes only if they do.
func fetch(ctx context.Context) (backends []backend, version string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, *backendsURL, nil)
	if err != nil {
		return nil, "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, "", err
	}
	if response.StatusCode != http.StatusOK {
		return nil, "", fmt.Errorf("%s answered %s", *backendsURL, response.Status)
	}
	err = json.Unmarshal(body, &backends)
	return backends, fmt.Sprintf("%x", sha256.Sum256(body)), err
}

// store gives each group of proxies its clusters.
func store(ctx context.Context, snapshots cache.SnapshotCache, backends []backend, version string) error {
	groups := map[string][]types.Resource{}
	for _, b := range backends {
		groups[b.Group] = append(groups[b.Group], &clusterv3.Cluster{Name: b.Name})
	}
	for group, clusters := range groups {
		snapshot, err := cache.NewSnapshot(version, map[resource.Type][]types.Resource{resource.ClusterType: clusters})
		if err != nil {
			return err
		}
		if err := snapshots.SetSnapshot(ctx, group, snapshot); err != nil {
			return err
		}
	}
	return nil
}

// serveProbes serves HTTP until ctx ends.
func serveProbes(ctx context.Context, handler http.Handler) error {
	probes := &http.Server{Addr: *httpAddress, Handler: handler, ReadHeaderTimeout: time.Second}
	context.AfterFunc(ctx, func() { _ = probes.Close() })
	if err := probes.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// serveXDS serves gRPC until ctx ends.
func serveXDS(ctx context.Context, grpcServer *grpc.Server, snapshots cache.SnapshotCache, reg *ready.Registry) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", *xdsAddress)
	if err != nil {
		return err
	}
	server := gocontrolplane.NewServer(ctx, snapshots, nil, gocontrolplane.Options{Hash: byCluster{}, Registry: reg})
	server.XDS().RegisterHealth(grpcServer)
	adsv3.RegisterAggregatedDiscoveryServiceServer(grpcServer, server)
	context.AfterFunc(ctx, grpcServer.Stop)
	return grpcServer.Serve(listener)
}

// wait waits for d, or until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
