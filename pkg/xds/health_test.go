package xds_test

import (
	"log/slog"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/xdsready/xdsready/pkg/ready"
	"github.com/xdsready/xdsready/pkg/xds"
)

// quiet returns a registry that does not log.
func quiet(tiers ...string) *ready.Registry {
	return ready.NewWithOptions(ready.Options{Logger: slog.New(slog.DiscardHandler)}, tiers...)
}

// Health says NOT_SERVING from the first moment, SERVING while the registry is
// ready, and pushes each change to those who watch.
func TestHealthFollowsTheRegistry(t *testing.T) {
	registry := quiet("inputs")
	synced := registry.Tier("inputs").Signal("a")
	r := newRig(t, registry, xds.Options{})
	client := healthv1.NewHealthClient(r.conn)
	ctx := testContext(t)

	watch, err := client.Watch(ctx, &healthv1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	want := func(when string, status healthv1.HealthCheckResponse_ServingStatus) {
		t.Helper()
		got, err := watch.Recv()
		if err != nil || got.GetStatus() != status {
			t.Fatalf("Watch %s: %v, %v, want %v", when, got, err, status)
		}
	}
	want("at the start", healthv1.HealthCheckResponse_NOT_SERVING)
	synced()
	want("after opening", healthv1.HealthCheckResponse_SERVING)

	ads := &healthv1.HealthCheckRequest{Service: "envoy.service.discovery.v3.AggregatedDiscoveryService"}
	if got, err := client.Check(ctx, ads); err != nil || got.GetStatus() != healthv1.HealthCheckResponse_SERVING {
		t.Errorf("Check of ADS: %v, %v, want SERVING", got, err)
	}
	_, err = client.Check(ctx, &healthv1.HealthCheckRequest{Service: "other"})
	wantStatus(t, err, codes.NotFound, "unknown service")

	r.stop()
	want("after Run has ended", healthv1.HealthCheckResponse_NOT_SERVING)
}

// A server that is registered but not run yet must not say SERVING, which is
// what grpc's own health server starts with.
func TestHealthBeforeRun(t *testing.T) {
	registry := quiet("inputs")
	r := newRig(t, registry, xds.Options{UnknownTimeout: time.Minute})
	got, err := healthv1.NewHealthClient(r.conn).Check(testContext(t), &healthv1.HealthCheckRequest{})
	if err != nil || got.GetStatus() != healthv1.HealthCheckResponse_NOT_SERVING {
		t.Errorf("Check: %v, %v, want NOT_SERVING", got, err)
	}
}
