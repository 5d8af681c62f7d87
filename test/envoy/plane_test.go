package envoy

import (
	"context"
	"log/slog"
	"net"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/grpc"

	"github.com/xdsready/xdsready/pkg/cache"
	"github.com/xdsready/xdsready/pkg/ready"
	"github.com/xdsready/xdsready/pkg/xds"
	"github.com/xdsready/xdsready/pkg/xds/admission"
)

// plane is a control plane in the test's process, made of the library alone, of
// which the tier "informers" is pending until the test reports it.
type plane struct {
	registry *ready.Registry
	address  string // of the xDS server
	open     func() // reports what is pending: the gate opens before it returns
}

// startPlane serves these resources to every proxy. With closing, a refusal
// closes its connection, as Admission.Listener makes it.
func startPlane(t *testing.T, mode admission.Mode, closing bool, resources []cache.Resource) *plane {
	t.Helper()
	logger := slog.New(slog.DiscardHandler)
	registry := ready.NewWithOptions(ready.Options{Logger: logger}, "informers", "snapshot")
	synced := registry.Tier("informers").Signal("endpointslices")
	snapshot := registry.Tier("snapshot").Snapshot("xds")
	gate, err := admission.New(registry, admission.Options{Mode: mode, HoldTimeout: 2 * patience * 10, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	var store cache.Store
	server, err := xds.New(registry, &store, xds.Options{Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	build := func() {
		stored := snapshot.Begin()
		built, err := cache.Build(resources, cache.Options{AfterInputs: true})
		if err != nil {
			t.Fatal(err)
		}
		store.Set(xds.AllGroup, built)
		stored()
	}
	build() // too early: it is there, and must not be served yet

	p := &plane{registry: registry, open: func() { synced(); build() }}
	grpcServer := grpc.NewServer(gate.ServerOptions()...)
	server.Register(grpcServer)
	p.address = serve(t, grpcServer, gate, closing, registry.Start, server.Run)
	return p
}

// serve runs the server and the other parts until the test ends, and returns
// the server's address.
func serve(t *testing.T, server *grpc.Server, gate *admission.Admission, closing bool, parts ...func(context.Context) error) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if closing {
		listener = gate.Listener(listener)
	}
	ctx, cancel := context.WithCancel(context.Background())
	parts = append(parts, func(context.Context) error { return server.Serve(listener) })
	ended := make(chan error, len(parts))
	for _, run := range parts {
		go func() { ended <- run(ctx) }()
	}
	t.Cleanup(func() {
		server.Stop()
		cancel()
		for range parts {
			if err := <-ended; err != nil {
				t.Errorf("the control plane: %v", err)
			}
		}
	})
	return address
}

// anyNode puts every proxy into one group of go-control-plane's cache.
type anyNode struct{}

func (anyNode) ID(*corev3.Node) string { return xds.AllGroup }
