// Command consumer is a control plane at Kubernetes 0.34 and controller-runtime
// 0.22, older than all that the gate is developed with.
package main

import (
	"context"
	"flag"
	"log"
	"net"
	"net/http"
	"os/signal"
	"syscall"

	"github.com/xdsready/xdsready/pkg/ready"
	"github.com/xdsready/xdsready/pkg/xds/admission"
	"google.golang.org/grpc"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
)

var (
	server      = flag.String("server", "", "URL of the API server")
	httpAddress = flag.String("http-address", "", "address for probes")
	xdsAddress  = flag.String("xds-address", "", "address for proxies")
)

func main() {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	reg := ready.New("inputs")
	go func() { log.Fatal(http.ListenAndServe(*httpAddress, reg)) }()

	config := &rest.Config{Host: *server}
	watchSlices(ctx, config, reg)
	watchServices(ctx, config, reg)
	go serve(grpc.NewServer(admission.ServerOptions(reg)...))
	if err := reg.Start(ctx); err != nil {
		log.Fatal(err)
	}
}

// watchSlices uses client-go's informers.
func watchSlices(ctx context.Context, config *rest.Config, reg *ready.Registry) {
	client, err := kubernetes.NewForConfig(config)
	check(err)
	factory := informers.NewSharedInformerFactory(client, 0)
	informer := factory.Discovery().V1().EndpointSlices().Informer()
	check(informer.SetWatchErrorHandlerWithContext(ready.WatchErrors(reg, toolscache.DefaultWatchErrorHandler)))
	registration, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{})
	check(err)
	reg.Tier("inputs").Func("endpointslices", registration.HasSynced, ready.Listed(informer.HasSynced))
	factory.Start(ctx.Done())
}

// watchServices uses a cache of controller-runtime.
func watchServices(ctx context.Context, config *rest.Config, reg *ready.Registry) {
	services, err := cache.New(config, cache.Options{
		DefaultWatchErrorHandler: ready.WatchErrors(reg, toolscache.DefaultWatchErrorHandler),
	})
	check(err)
	_, err = services.GetInformer(ctx, &corev1.Service{}, cache.BlockUntilSynced(false))
	check(err)
	reg.Tier("inputs").Cache("services", services)
	go func() { check(services.Start(ctx)) }()
}

func serve(proxies *grpc.Server) {
	listener, err := net.Listen("tcp", *xdsAddress)
	check(err)
	check(proxies.Serve(listener))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
