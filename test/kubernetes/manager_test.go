package kubernetes

import (
	"context"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/xdsready/xdsready/pkg/ready"
	"github.com/xdsready/xdsready/test/process"
)

// A program of others, with a manager of controller-runtime and the library's
// check of its cache: a right that is missing keeps the tier red, in the API
// server's words, and the tier completes when it is given.
func TestManagersCache(t *testing.T) {
	t.Parallel()
	s := newScene(t, shared)
	user := s.user(t, s.namespace)
	s.grant(t, subject(s.namespace), "services", reading()["services"])
	registry := ready.New("inputs")
	m, err := manager.New(user.Config(), manager.Options{
		Scheme: scheme, Metrics: metricsserver.Options{BindAddress: "0"},
		Cache: cache.Options{DefaultWatchErrorHandler: ready.WatchErrors[*toolscache.Reflector](registry, nil)},
	})
	if err != nil {
		t.Fatal(err)
	}
	registry.Tier("inputs").Cache("cache", m.GetCache())
	for _, object := range []client.Object{&corev1.Service{}, &discoveryv1.EndpointSlice{}} {
		if _, err := m.GetCache().GetInformer(t.Context(), object, cache.BlockUntilSynced(false)); err != nil {
			t.Fatal(err)
		}
	}
	runUntilEnd(t, registry.Start)
	runUntilEnd(t, m.Start)

	words := `endpointslices.discovery.k8s.io is forbidden: User "` + s.namespace + `" cannot`
	wantRegistry(t, registry, "red with "+words, func() bool {
		err := registry.Err()
		return err != nil && strings.Contains(err.Error(), words)
	})
	s.grant(t, subject(s.namespace), "endpointslices", reading()["endpointslices"])
	wantRegistry(t, registry, "ready", registry.Ready)
	var services corev1.ServiceList
	if err := m.GetClient().List(t.Context(), &services); err != nil || len(services.Items) == 0 {
		t.Errorf("the synced cache has %d Services, %v", len(services.Items), err)
	}
}

// runUntilEnd runs f until the test ends.
func runUntilEnd(t *testing.T, f func(context.Context) error) {
	t.Helper()
	ctx, ended := t.Context(), make(chan struct{})
	go func() {
		defer close(ended)
		if err := f(ctx); err != nil {
			t.Errorf("running until the test ends: %v", err)
		}
	}()
	t.Cleanup(func() { <-ended })
}

// wantRegistry waits until the registry is as wanted.
func wantRegistry(t *testing.T, registry *ready.Registry, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), process.Limit)
	defer cancel()
	for {
		changed := registry.Changed()
		if holds() {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("the registry is not %s within %v: %v", what, process.Limit, registry.Err())
		}
	}
}
