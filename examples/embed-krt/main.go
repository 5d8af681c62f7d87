// Command embed-krt gives every proxy a cluster for each Kubernetes Service, with
// the endpoints of its EndpointSlices, by way of krt, Istio's declarative
// collections.
//
// It is here twice. In before/ the probe says only that the process is up, and
// a proxy that connects before the collections have synced is told that there
// are no clusters. With the gate, /readyz is red until a snapshot of the synced
// collections has been stored, also in an empty cluster; proxies are refused so
// long; and both name the collection that is missing.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	adsv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"istio.io/istio/pkg/kube"
	"istio.io/istio/pkg/kube/krt"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/xdsready/xdsready/examples/internal/translate"
	"github.com/xdsready/xdsready/pkg/ready"
	"github.com/xdsready/xdsready/pkg/xds/admission"
)

var (
	xdsAddress  = flag.String("xds-address", "127.0.0.1:18000", "address for proxies (gRPC)")
	httpAddress = flag.String("http-address", "127.0.0.1:8080", "address for probes (HTTP)")
	kubeconfig  = flag.String("kubeconfig", "", "path of a kubeconfig; without one, as kubectl finds it or in the cluster")
)

// allProxies is the one group of proxies.
type allProxies struct{}

func (allProxies) ID(*corev3.Node) string { return "all" }

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
	reg := ready.New("inputs", "snapshot")
	ctx = reg.WithDrain(ctx, 5*time.Second)
	kubeClient, err := kube.NewClient(kube.BuildClientCmd(*kubeconfig, ""), "")
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return reg.Start(ctx) })
	group.Go(func() error { return serveProbes(ctx, reg) })

	options := krt.NewOptionsBuilder(ctx.Done(), "", nil)
	services := krt.NewInformer[*corev1.Service](kubeClient, options.WithName("Services")...)
	endpointSlices := krt.NewInformer[*discoveryv1.EndpointSlice](kubeClient, options.WithName("EndpointSlices")...)
	clusters := join(services, endpointSlices, options.WithName("clusters"))
	reg.Tier("inputs").Syncer("Services", services).Syncer("EndpointSlices", endpointSlices).Syncer("clusters", clusters)
	group.Go(func() error { kubeClient.RunAndWait(ctx.Done()); return nil })

	snapshots := cache.NewSnapshotCache(true, allProxies{}, nil)
	group.Go(func() error { return follow(ctx, clusters, snapshots, reg) })
	group.Go(func() error { return serveXDS(ctx, grpc.NewServer(admission.ServerOptions(reg)...), snapshots) })
	return group.Wait()
}

// join derives what proxies need to know of each Service.
func join(
	services krt.Collection[*corev1.Service],
	endpointSlices krt.Collection[*discoveryv1.EndpointSlice],
	options []krt.CollectionOption,
) krt.Collection[translate.Service] {
	byOwner := krt.NewIndex(endpointSlices, "owner", func(slice *discoveryv1.EndpointSlice) []string {
		return []string{translate.Owner(slice)}
	})
	return krt.NewCollection(services, func(ctx krt.HandlerContext, service *corev1.Service) *translate.Service {
		s := translate.New(service, byOwner.Fetch(ctx, service.Namespace+"/"+service.Name))
		return &s
	}, options...)
}

// follow gives all proxies what the collection has, after each change of it,
// until ctx ends.
func follow(ctx context.Context, clusters krt.Collection[translate.Service], snapshots cache.SnapshotCache, reg *ready.Registry) error {
	snapshot := reg.Tier("snapshot").Snapshot("xds")
	changed := make(chan struct{}, 1)
	clusters.RegisterBatch(func([]krt.Event[translate.Service]) {
		select {
		case changed <- struct{}{}:
		default: // changes during a build need only one more
		}
	}, true)
	for reg.Tier("inputs").Await(ctx) == nil {
		stored := snapshot.Begin()
		content, err := translate.Snapshot(clusters.List())
		if err != nil {
			return err
		}
		if err := snapshots.SetSnapshot(ctx, "all", content); err != nil {
			return fmt.Errorf("storing a snapshot: %w", err)
		}
		stored()
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
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
func serveXDS(ctx context.Context, grpcServer *grpc.Server, snapshots cache.SnapshotCache) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", *xdsAddress)
	if err != nil {
		return err
	}
	adsv3.RegisterAggregatedDiscoveryServiceServer(grpcServer, server.NewServer(ctx, snapshots, nil))
	context.AfterFunc(ctx, grpcServer.Stop)
	return grpcServer.Serve(listener)
}
