package clients

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/xdsready/xdsready/pkg/cache"
	"github.com/xdsready/xdsready/pkg/xds"
)

// plane is the control plane under test, in the test's process.
type plane struct {
	store   cache.Store
	server  *xds.Server
	address netip.AddrPort
	stop    func() // ends it as a crash does: its clients are told nothing
}

// startPlane runs a control plane with this config until the test ends.
func startPlane(t *testing.T, address netip.AddrPort, first config) *plane {
	t.Helper()
	p := &plane{}
	p.publish(t, first)
	var err error
	if p.server, err = xds.New(nil, &p.store, xds.Options{Logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	p.server.Register(server)
	var stopServing func()
	p.address, stopServing = serve(t, server, address)

	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- p.server.Run(ctx) }()
	p.stop = sync.OnceFunc(func() {
		stopServing()
		cancel()
		if err := <-ran; err != nil {
			t.Errorf("the control plane: %v", err)
		}
	})
	t.Cleanup(p.stop)
	return p
}

// publish replaces the config of all clients.
func (p *plane) publish(t *testing.T, c config) {
	t.Helper()
	snapshot, err := cache.Build(c.resources(t), cache.Options{AfterInputs: true})
	if err != nil {
		t.Fatal(err)
	}
	p.store.Set(xds.AllGroup, snapshot)
}

// awaitAcknowledged waits until the client has asked for every type of resource
// and acknowledged all it was sent: a rejection, or an answer that a step still
// waits for, fails the test.
func (p *plane) awaitAcknowledged(t *testing.T) {
	t.Helper()
	deadline := time.After(prompt)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		clients := p.server.Proxies()
		if len(clients) == 1 && len(clients[0].Types) >= resourceTypes && clients[0].Converged() {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("the client has not acknowledged its config within %v: %+v", prompt, clients)
		}
	}
}
