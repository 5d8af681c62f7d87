package adapters

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"

	"istio.io/istio/pkg/kube/krt"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/xdsready/xdsready/pkg/ready"
	"github.com/xdsready/xdsready/pkg/ready/readytest"
	"github.com/xdsready/xdsready/test/apiserver"
)

// A Registry is what a manager takes.
var (
	_ manager.Runnable                        = (*ready.Registry)(nil)
	_ manager.LeaderElectionRunnable          = (*ready.Registry)(nil)
	_ healthz.Checker                         = (*ready.Registry)(nil).Check
	_ http.Handler                            = (*ready.Registry)(nil)
	_ toolscache.WatchErrorHandlerWithContext = ready.WatchErrors(nil, toolscache.DefaultWatchErrorHandler)
)

// sources are the real sources. Each is registered with a tier under a name,
// if it has none of its own, in front of an API server, and started.
var sources = []struct {
	name     string
	check    string // the name of a source that has one
	register func(*testing.T, *apiserver.Server, *ready.Tier, string)
}{
	{
		name:  "client-go: DoneChecker of an informer",
		check: "SharedIndexInformer *v1.EndpointSlice",
		register: func(t *testing.T, server *apiserver.Server, tier *ready.Tier, _ string) {
			t.Helper()
			informer := newInformer(t, server)
			tier.Checker(informer.HasSyncedChecker())
			background(t, informer.RunWithContext)
		},
	},
	{
		name:  "client-go: DoneChecker of a handler registration",
		check: "SharedIndexInformer *v1.EndpointSlice + event handler cache.ResourceEventHandlerFuncs",
		register: func(t *testing.T, server *apiserver.Server, tier *ready.Tier, _ string) {
			t.Helper()
			informer := newInformer(t, server)
			tier.Checker(register(t, informer).HasSyncedChecker())
			background(t, informer.RunWithContext)
		},
	},
	{
		name: "client-go: HasSynced of a handler registration",
		register: func(t *testing.T, server *apiserver.Server, tier *ready.Tier, name string) {
			t.Helper()
			informer := newInformer(t, server)
			tier.Func(name, register(t, informer).HasSynced)
			background(t, informer.RunWithContext)
		},
	},
	{
		name: "controller-runtime: cache",
		register: func(t *testing.T, server *apiserver.Server, tier *ready.Tier, name string) {
			t.Helper()
			c := newCache(t, server, cache.Options{})
			tier.Cache(name, c)
			background(t, func(ctx context.Context) {
				if err := c.Start(ctx); err != nil {
					t.Errorf("starting the cache: %v", err)
				}
			})
		},
	},
	{
		name: "krt: collection of an informer",
		register: func(t *testing.T, server *apiserver.Server, tier *ready.Tier, name string) {
			t.Helper()
			informer, _ := newCollection(t, server)
			tier.Syncer(name, informer)
		},
	},
	{
		name: "krt: derived collection",
		register: func(t *testing.T, server *apiserver.Server, tier *ready.Tier, name string) {
			t.Helper()
			_, derived := newCollection(t, server)
			tier.Syncer(name, derived)
		},
	},
	{
		name: "krt: handler registration",
		register: func(t *testing.T, server *apiserver.Server, tier *ready.Tier, name string) {
			t.Helper()
			_, derived := newCollection(t, server)
			tier.Syncer(name, derived.Register(func(krt.Event[string]) {}))
		},
	},
}

// TestConformance runs the suite of every check source with the real ones, each
// in front of an API server that keeps their first list waiting.
func TestConformance(t *testing.T) {
	for _, source := range sources {
		t.Run(source.name, func(t *testing.T) {
			readytest.Conformance(t, readytest.Rig{
				Name: source.check,
				Register: func(t *testing.T, tier *ready.Tier, name string) readytest.Steer {
					t.Helper()
					server := apiserver.New(t)
					server.Hold(resource)
					source.register(t, server, tier, name)
					return readytest.Steer{Sync: func() { server.Release(resource) }}
				},
			})
		})
	}
}

// TestPendingUntilListed wants a source to stay pending as long as its list is
// kept waiting, and looks when another source of the same tier, which takes
// some 100 ms, has synced.
func TestPendingUntilListed(t *testing.T) {
	for _, source := range sources {
		t.Run(source.name, func(t *testing.T) {
			server := apiserver.New(t)
			server.Hold(resource)
			reg := ready.New("inputs")
			source.register(t, server, reg.Tier("inputs"), "source")
			var asked atomic.Int64
			reg.Tier("inputs").Func("other", func() bool { return asked.Add(1) > 20 })
			start(t, reg)
			wantCheck(t, reg, 1, ready.Synced, "")
			if check := reg.Status().Tiers[0].Checks[0]; check.State != ready.Pending {
				t.Errorf("check %q is %s (%q) before its first list, want pending", check.Name, check.State, check.Message)
			}
			if reg.Open() {
				t.Error("the gate is open before the first list")
			}
			server.Release(resource)
			wantCheck(t, reg, 0, ready.Synced, "")
		})
	}
}
