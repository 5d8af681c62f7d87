package main

import (
	"fmt"
	"net"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"

	"github.com/xdsready/xdsready/pkg/xds/admission"
)

// The kinds of server.
const (
	serveHeld = "held" // behind a shut gate: streams wait at it
	serveIdle = "idle" // plain grpc-go: streams wait in their handler
)

// streamServer is a server whose streams wait.
type streamServer struct {
	grpc    *grpc.Server
	wrap    func(net.Listener) net.Listener
	waiting func() int // streams
	stop    func()     // releases what is not gRPC's
}

func newStreamServer(kind string) (*streamServer, error) {
	switch kind {
	case serveHeld:
		return newHeldServer()
	case serveIdle:
		return newIdleServer(), nil
	}
	return nil, fmt.Errorf("unknown kind of server %q: want %s or %s", kind, serveHeld, serveIdle)
}

// newHeldServer returns a server whose gate stays shut.
func newHeldServer() (*streamServer, error) {
	r := startRegistry(1)
	a, err := admission.New(r.Registry, admission.Options{Mode: admission.Hold, HoldTimeout: 2 * patience})
	if err != nil {
		r.stop()
		return nil, err
	}
	s := &streamServer{grpc: grpc.NewServer(a.ServerOptions()...), wrap: a.Listener, waiting: heldBy(a), stop: r.stop}
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(s.grpc, adsServer{handle: func(adsStream) error {
		panic("a stream came through the shut gate")
	}})
	return s, nil
}
