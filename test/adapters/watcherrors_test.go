package adapters

import (
	"context"
	"fmt"
	"sync"
	"testing"

	discoveryv1 "k8s.io/api/discovery/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"github.com/xdsready/xdsready/pkg/ready"
	"github.com/xdsready/xdsready/test/apiserver"
)

// TestWatchErrors lets the API server refuse a list, and wants its words as the
// message of the check that waits for the list, however the check was
// registered, until the list is allowed.
func TestWatchErrors(t *testing.T) {
	const words = `failed to list *v1.EndpointSlice: endpointslices is forbidden: User "test" cannot list resource "endpointslices"`
	for _, row := range []struct {
		name     string
		register func(*testing.T, toolscache.SharedIndexInformer, *ready.Tier)
	}{
		{"DoneChecker of an informer", func(_ *testing.T, informer toolscache.SharedIndexInformer, tier *ready.Tier) {
			tier.Checker(informer.HasSyncedChecker())
		}},
		{"DoneChecker of a handler registration", func(t *testing.T, informer toolscache.SharedIndexInformer, tier *ready.Tier) {
			t.Helper()
			tier.Checker(register(t, informer).HasSyncedChecker())
		}},
		{"named by the resource", func(t *testing.T, informer toolscache.SharedIndexInformer, tier *ready.Tier) {
			t.Helper()
			tier.Func(resource, register(t, informer).HasSynced)
		}},
		{"named by the Go type", func(t *testing.T, informer toolscache.SharedIndexInformer, tier *ready.Tier) {
			t.Helper()
			tier.Func(fmt.Sprintf("%T", &discoveryv1.EndpointSlice{}), register(t, informer).HasSynced)
		}},
	} {
		t.Run("client-go: "+row.name, func(t *testing.T) {
			server := apiserver.New(t)
			server.Refuse(resource)
			reg := ready.New("inputs")
			informer := newInformer(t, server)
			if err := informer.SetWatchErrorHandlerWithContext(ready.WatchErrors[*toolscache.Reflector](reg, nil)); err != nil {
				t.Fatal(err)
			}
			row.register(t, informer, reg.Tier("inputs"))
			background(t, informer.RunWithContext)
			start(t, reg)
			wantCheck(t, reg, 0, ready.Failed, words)
			server.Allow(resource)
			wantCheck(t, reg, 0, ready.Synced, "")
		})
	}

	t.Run("controller-runtime: cache", func(t *testing.T) {
		server := apiserver.New(t)
		server.Refuse(resource)
		reg := ready.New("inputs")
		c := newCache(t, server, cache.Options{DefaultWatchErrorHandler: ready.WatchErrors[*toolscache.Reflector](reg, nil)})
		reg.Tier("inputs").Cache("cache", c)
		background(t, func(ctx context.Context) {
			if err := c.Start(ctx); err != nil {
				t.Errorf("starting the cache: %v", err)
			}
		})
		start(t, reg)
		wantCheck(t, reg, 0, ready.Failed, words)
		server.Allow(resource)
		wantCheck(t, reg, 0, ready.Synced, "")
	})
}

// TestListedHandlerNotDone stops an informer's handler at the first object.
func TestListedHandlerNotDone(t *testing.T) {
	server := apiserver.New(t)
	server.Add(resource, &discoveryv1.EndpointSlice{})
	reg := ready.New("inputs")
	informer := newInformer(t, server)
	block := make(chan struct{})
	handle := sync.OnceFunc(func() { close(block) })
	registration, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{AddFunc: func(any) { <-block }})
	if err != nil {
		t.Fatal(err)
	}
	reg.Tier("inputs").Checker(registration.HasSyncedChecker(), ready.Listed(informer.HasSynced))
	background(t, informer.RunWithContext)
	t.Cleanup(handle) // the informer waits for its handler
	start(t, reg)
	wantCheck(t, reg, 0, ready.Pending, "listed, handler not done")
	handle()
	wantCheck(t, reg, 0, ready.Synced, "")
}
