// Command informers is the bare program that package bench measures xdsready
// against: it lists and watches the same resources with client-go's shared
// informers and does nothing with them.
//
//	informers --kubeconfig FILE --http-address ADDRESS
//
// Once all informers have synced it answers 200 on its HTTP address. It prints a
// line of JSON for each EndpointSlice that changes. With --strip it keeps no
// managed fields, as programs do that mind their memory.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	gatewayclient "sigs.k8s.io/gateway-api/pkg/client/clientset/versioned"
	gatewayinformers "sigs.k8s.io/gateway-api/pkg/client/informers/externalversions"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "informers:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("informers", flag.ContinueOnError)
	kubeconfig := flags.String("kubeconfig", "", "kubeconfig `file` of the cluster")
	address := flags.String("http-address", "", "`address` that answers once all informers have synced")
	strip := flags.Bool("strip", false, "keep no managed fields")
	if err := flags.Parse(args); err != nil {
		return err
	}
	all, err := newInformers(*kubeconfig)
	if err != nil {
		return err
	}
	for _, informer := range all {
		if *strip {
			if err := informer.SetTransform(dropManagedFields); err != nil {
				return err
			}
		}
		go informer.RunWithContext(ctx) // ends with the process
	}
	if err := printChanges(all[0], out); err != nil {
		return err
	}
	for _, informer := range all {
		select {
		case <-informer.HasSyncedChecker().Done():
		case <-ctx.Done():
			return nil
		}
	}
	answer := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	server := &http.Server{Addr: *address, Handler: answer, ReadHeaderTimeout: time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() }) // whoever still asks sees the end of the process
	defer stop()
	if err := server.ListenAndServe(); ctx.Err() == nil {
		return err
	}
	return nil
}

// newInformers returns an informer for each resource that xdsready reads, that
// of EndpointSlices first.
func newInformers(kubeconfig string) ([]cache.SharedIndexInformer, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	gateways, err := gatewayclient.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	config.ContentType = runtime.ContentTypeProtobuf
	config.AcceptContentTypes = runtime.ContentTypeProtobuf
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	core := informers.NewSharedInformerFactory(clients, 0)
	certificates := informers.NewSharedInformerFactoryWithOptions(clients, 0, informers.WithTweakListOptions(func(o *metav1.ListOptions) {
		o.FieldSelector = "type=" + string(corev1.SecretTypeTLS)
	}))
	gateway := gatewayinformers.NewSharedInformerFactory(gateways, 0).Gateway()
	return []cache.SharedIndexInformer{
		core.Discovery().V1().EndpointSlices().Informer(),
		core.Core().V1().Services().Informer(),
		core.Core().V1().Namespaces().Informer(),
		certificates.Core().V1().Secrets().Informer(),
		gateway.V1().GatewayClasses().Informer(),
		gateway.V1().Gateways().Informer(),
		gateway.V1().HTTPRoutes().Informer(),
		gateway.V1beta1().ReferenceGrants().Informer(),
	}, nil
}

func dropManagedFields(object any) (any, error) {
	accessor, err := meta.Accessor(object)
	if err != nil {
		return nil, err
	}
	accessor.SetManagedFields(nil)
	return object, nil
}

// change is a line of what this program prints.
type change struct {
	Version string `json:"version"` // resource version
	At      int64  `json:"at"`      // when the handler was called, in Unix nanoseconds
}

// printChanges prints each change of an object from now on.
func printChanges(informer cache.SharedIndexInformer, out io.Writer) error {
	printer := json.NewEncoder(out)
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{UpdateFunc: func(_, object any) {
		at := time.Now().UnixNano()
		accessor, err := meta.Accessor(object)
		if err != nil {
			return // not a Kubernetes object, which an informer does not deliver
		}
		_ = printer.Encode(change{accessor.GetResourceVersion(), at}) // who reads this has ended
	}})
	return err
}
