// Command embed-go-control-plane is a go-control-plane server: it asks a
// service registry for backends, once a second, and gives each group of proxies
// its clusters.
//
// It is here three times. In before/ the probe says only that the process is up,
// and a proxy that connects before the backends are known waits in silence. With
// the gate, /readyz is red until a snapshot of the backends has been stored, or
// until it is known that there are none; proxies are refused so long; and both
// say what is missing. In ordered/ another constructor gives it the gate and the
// server of this module, which sends changes in the order that costs no request.
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
	"github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
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
	group, ctx := errgroup.WithContext(ctx)

	snapshots := cache.NewSnapshotCache(true, byCluster{}, nil)
	group.Go(func() error { follow(ctx, snapshots); return nil })
	group.Go(func() error { return serveProbes(ctx, http.HandlerFunc(up)) })
	group.Go(func() error { return serveXDS(ctx, grpc.NewServer(), snapshots) })
	return group.Wait()
}

// follow stores what the service registry knows, once a second until ctx ends.
func follow(ctx context.Context, snapshots cache.SnapshotCache) {
	for ; ctx.Err() == nil; wait(ctx, time.Second) {
		backends, version, err := fetch(ctx)
		if err != nil {
			slog.Error("asking for backends", "error", err)
			continue
		}
		if err := store(ctx, snapshots, backends, version); err != nil {
			slog.Error("storing a snapshot", "error", err)
			continue
		}
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

// up answers every probe: the process is there.
func up(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) }

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
func serveXDS(ctx context.Context, grpcServer *grpc.Server, snapshots cache.SnapshotCache) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", *xdsAddress)
	if err != nil {
		return err
	}
	adsv3.RegisterAggregatedDiscoveryServiceServer(grpcServer, server.NewServer(ctx, snapshots, nil))
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
