// Command embed-controller-runtime is a controller-runtime manager that gives
// every proxy a cluster for each Service, with the endpoints of its
// EndpointSlices.
//
// It is here twice. In before/ the manager's /readyz says only that the process
// is up, and a proxy that connects before Services and EndpointSlices are
// listed waits in silence. With the gate, /readyz is red until a snapshot that
// was computed from both has been stored, also in an empty cluster and on a
// replica that is not the leader; proxies are refused so long; and both say
// what is missing, in the words of the API server.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	adsv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	xdscache "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/config"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/xdsready/xdsready/examples/internal/translate"
)

var (
	xdsAddress     = flag.String("xds-address", "127.0.0.1:18000", "address for proxies (gRPC)")
	httpAddress    = flag.String("http-address", "127.0.0.1:8080", "address for the kubelet's probes (HTTP)")
	metricsAddress = flag.String("metrics-address", "127.0.0.1:8081", "address for Prometheus (HTTP)")
	leaderElect    = flag.String("leader-elect", "", "namespace of the leader's lease; without one there is no election")
)

// allProxies is the one group of proxies.
type allProxies struct{}

func (allProxies) ID(*corev3.Node) string { return "all" }

// onEveryReplica is a Runnable that the manager starts on followers too: they
// serve proxies as the leader does.
type onEveryReplica func(context.Context) error

func (f onEveryReplica) Start(ctx context.Context) error { return f(ctx) }
func (onEveryReplica) NeedLeaderElection() bool          { return false }

func main() {
	flag.Parse()
	log.SetLogger(logr.FromSlogHandler(slog.Default().Handler()))
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
	kubeconfig, err := config.GetConfig()
	if err != nil {
		return err
	}
	options := managerOptions()
	mgr, err := manager.New(kubeconfig, options)
	if err != nil {
		return err
	}
	if err := mgr.AddReadyzCheck("ping", healthz.Ping); err != nil {
		return err
	}

	changed := make(chan struct{}, 1)
	for _, object := range []client.Object{&corev1.Service{}, &discoveryv1.EndpointSlice{}} {
		informer, err := mgr.GetCache().GetInformer(ctx, object)
		if err != nil {
			return err
		}
		if _, err := informer.AddEventHandler(wake(changed)); err != nil {
			return err
		}
	}
	snapshots := xdscache.NewSnapshotCache(true, allProxies{}, nil)
	publish := func(ctx context.Context) error {
		for ctx.Err() == nil {
			if err := store(ctx, mgr.GetCache(), snapshots); err != nil {
				return fmt.Errorf("storing a snapshot: %w", err)
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return nil
			}
		}
		return nil
	}
	if err := mgr.Add(onEveryReplica(publish)); err != nil {
		return err
	}

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return mgr.Start(ctx) })
	group.Go(func() error { return serveXDS(ctx, grpc.NewServer(), snapshots) })
	return group.Wait()
}

func managerOptions() manager.Options {
	return manager.Options{
		HealthProbeBindAddress:  *httpAddress,
		Metrics:                 metricsserver.Options{BindAddress: *metricsAddress},
		Cache:                   cache.Options{DefaultTransform: cache.TransformStripManagedFields()},
		LeaderElection:          *leaderElect != "",
		LeaderElectionID:        "embed-controller-runtime",
		LeaderElectionNamespace: *leaderElect,
	}
}

// wake returns an event handler that makes the next build happen. Changes
// during a build need only one more.
func wake(changed chan<- struct{}) toolscache.ResourceEventHandler {
	wake := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { wake() },
		UpdateFunc: func(any, any) { wake() },
		DeleteFunc: func(any) { wake() },
	}
}

// store gives all proxies what the cluster has now.
func store(ctx context.Context, reader client.Reader, snapshots xdscache.SnapshotCache) error {
	var services corev1.ServiceList
	var slices discoveryv1.EndpointSliceList
	if err := errors.Join(reader.List(ctx, &services), reader.List(ctx, &slices)); err != nil {
		return err
	}
	slicesOf := map[string][]*discoveryv1.EndpointSlice{}
	for i := range slices.Items {
		owner := translate.Owner(&slices.Items[i])
		slicesOf[owner] = append(slicesOf[owner], &slices.Items[i])
	}
	var all []translate.Service
	for i := range services.Items {
		service := &services.Items[i]
		all = append(all, translate.New(service, slicesOf[service.Namespace+"/"+service.Name]))
	}
	snapshot, err := translate.Snapshot(all)
	if err != nil {
		return err
	}
	return snapshots.SetSnapshot(ctx, "all", snapshot)
}

// serveXDS serves gRPC until ctx ends.
func serveXDS(ctx context.Context, grpcServer *grpc.Server, snapshots xdscache.SnapshotCache) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", *xdsAddress)
	if err != nil {
		return err
	}
	adsv3.RegisterAggregatedDiscoveryServiceServer(grpcServer, server.NewServer(ctx, snapshots, nil))
	context.AfterFunc(ctx, grpcServer.Stop)
	return grpcServer.Serve(listener)
}
