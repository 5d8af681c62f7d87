package xds

import (
	"context"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/xdsready/xdsready/pkg/ready"
)

// healthServices are the names a client may ask for: the whole server, and ADS.
var healthServices = []string{"", discovery.AggregatedDiscoveryService_ServiceDesc.ServiceName}

// healthServer is grpc.health.v1 whose status is the registry's ready bit;
// Watch pushes each change.
type healthServer struct{ *health.Server }

// newHealthServer says NOT_SERVING: grpc's own server starts with SERVING, when
// nothing is ready yet.
func newHealthServer() *healthServer {
	h := &healthServer{health.NewServer()}
	h.set(false)
	return h
}

// follow sets the status until ctx ends, and then NOT_SERVING.
func (h *healthServer) follow(ctx context.Context, registry *ready.Registry) {
	defer h.set(false)
	for {
		changed := registry.Changed()
		h.set(registry.Ready())
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

func (h *healthServer) set(serving bool) {
	status := healthv1.HealthCheckResponse_NOT_SERVING
	if serving {
		status = healthv1.HealthCheckResponse_SERVING
	}
	for _, service := range healthServices {
		h.SetServingStatus(service, status)
	}
}
