package clients

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"testing"

	"google.golang.org/grpc"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"

	"github.com/xdsready/xdsready/test/loopback"
)

// free is an address for a server of the test.
func free(t *testing.T) netip.AddrPort {
	t.Helper()
	return netip.MustParseAddrPort(loopback.Address(t))
}

// backendHeader names the backend in the header of each of its answers, where a
// client finds it without knowing the message.
const backendHeader = "backend"

// backend is the service that the clients call: any unary method would do, and
// grpc.health.v1 needs no generated code.
type backend struct {
	healthv1.UnimplementedHealthServer

	name    string
	address netip.AddrPort
}

// Check answers with the backend's name.
func (b *backend) Check(ctx context.Context, _ *healthv1.HealthCheckRequest) (*healthv1.HealthCheckResponse, error) {
	return &healthv1.HealthCheckResponse{}, grpc.SetHeader(ctx, metadata.Pairs(backendHeader, b.name))
}

// startBackend runs a backend until the test ends.
func startBackend(t *testing.T, name string) *backend {
	t.Helper()
	b := &backend{name: name}
	server := grpc.NewServer()
	healthv1.RegisterHealthServer(server, b)
	b.address, _ = serve(t, server, free(t))
	return b
}

// serve runs the server at the address until stop is called or the test ends,
// and returns where that is.
func serve(t *testing.T, server *grpc.Server, address netip.AddrPort) (at netip.AddrPort, stop func()) {
	t.Helper()
	listener, err := net.Listen("tcp", address.String())
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	stop = sync.OnceFunc(func() {
		server.Stop()
		if err := <-ended; err != nil {
			t.Errorf("the server at %v: %v", listener.Addr(), err)
		}
	})
	t.Cleanup(stop)
	return netip.MustParseAddrPort(listener.Addr().String()), stop
}
