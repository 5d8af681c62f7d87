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
	go func() { log.Fatal(http.ListenAndServe(*httpAddress, nil)) }()

	config := &rest.Config{Host: *server}
	watchSlices(ctx, config)
	watchServices(ctx, config)
	go serve(grpc.NewServer())
	<-ctx.Done()
}

// watchSlices uses client-go's informers.
func watchSlices(ctx context.Context, config *rest.Config) {
	client, err := kubernetes.NewForConfig(config)
	check(err)
	factory := informers.NewSharedInformerFactory(client, 0)
	informer := factory.Discovery().V1().EndpointSlices().Informer()
	_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{})
	check(err)
	factory.Start(ctx.Done())
}

// watchServices uses a cache of controller-runtime.
func watchServices(ctx context.Context, config *rest.Config) {
	services, err := cache.New(config, cache.Options{})
	check(err)
	_, err = services.GetInformer(ctx, &corev1.Service{}, cache.BlockUntilSynced(false))
	check(err)
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
