package adapters

import (
	"context"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"istio.io/istio/pkg/kube"
	"istio.io/istio/pkg/kube/krt"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"github.com/xdsready/xdsready/pkg/ready"
	"github.com/xdsready/xdsready/pkg/ready/readytest"
	"github.com/xdsready/xdsready/test/apiserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// resource is what every source here lists.
const resource = "endpointslices"

// newInformer returns client-go's informer for the resource, not yet running.
func newInformer(t *testing.T, server *apiserver.Server) toolscache.SharedIndexInformer {
	t.Helper()
	client, err := kubernetes.NewForConfig(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	return informers.NewSharedInformerFactory(client, 0).Discovery().V1().EndpointSlices().Informer()
}

// register gives the informer a handler, which does nothing.
func register(t *testing.T, informer toolscache.SharedIndexInformer) toolscache.ResourceEventHandlerRegistration {
	t.Helper()
	registration, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{})
	if err != nil {
		t.Fatal(err)
	}
	return registration
}

// newCache returns controller-runtime's cache with an informer for the
// resource, not yet running.
func newCache(t *testing.T, server *apiserver.Server, options cache.Options) cache.Cache {
	t.Helper()
	c, err := cache.New(&rest.Config{Host: server.URL}, options)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.GetInformer(t.Context(), &discoveryv1.EndpointSlice{}); err != nil {
		t.Fatal(err)
	}
	return c
}

// newCollection returns krt's collection of the resource and one derived from
// it. They run until the test ends.
func newCollection(t *testing.T, server *apiserver.Server) (informer krt.Collection[*discoveryv1.EndpointSlice], derived krt.Collection[string]) {
	t.Helper()
	client, err := kube.NewClient(kube.BuildClientCmd(server.Kubeconfig(), ""), "")
	if err != nil {
		t.Fatal(err)
	}
	options := krt.NewOptionsBuilder(t.Context().Done(), "", nil)
	informer = krt.NewInformer[*discoveryv1.EndpointSlice](client, options.WithName("informer")...)
	derived = krt.NewCollection(informer, func(_ krt.HandlerContext, slice *discoveryv1.EndpointSlice) *string {
		return &slice.Name
	}, options.WithName("derived")...)
	background(t, func(ctx context.Context) { client.RunAndWait(ctx.Done()) })
	t.Cleanup(client.Shutdown)
	t.Cleanup(func() { server.Release(resource) }) // krt's lists do not end with their context
	return informer, derived
}

// background runs f until the test ends, and waits for it.
func background(t *testing.T, f func(context.Context)) {
	t.Helper()
	ended := make(chan struct{})
	ctx := t.Context()
	go func() {
		defer close(ended)
		f(ctx)
	}()
	t.Cleanup(func() { <-ended })
}

// start runs a registry until the test ends.
func start(t *testing.T, reg *ready.Registry) {
	t.Helper()
	background(t, func(ctx context.Context) {
		if err := reg.Start(ctx); err != nil {
			t.Errorf("Start: %v", err)
		}
	})
}

// wantCheck waits until the i-th check of the first tier is in a state, with
// the words.
func wantCheck(t *testing.T, reg *ready.Registry, i int, state ready.State, words string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), readytest.Limit)
	defer cancel()
	for {
		changed := reg.Changed()
		check := reg.Status().Tiers[0].Checks[i]
		if check.State == state && strings.Contains(check.Message, words) {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("check %q is %s (%q), want %s with %q", check.Name, check.State, check.Message, state, words)
		}
	}
}
