package xds_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/xdsready/xdsready/pkg/cache"
)

// pipe is an xDS stream without a network, so that a test of a server in a
// synctest bubble has all of time in its hands. The server reads what the test
// sends; a response stays with the server until the test reads it.
type pipe[Q, R proto.Message] struct {
	grpc.ServerStream // nil: only the methods below are called

	//nolint:containedctx // grpc.ServerStream has a Context method
	ctx       context.Context
	requests  chan proto.Message
	responses chan proto.Message
	ended     chan struct{} // closed when the handler has returned
	err       error         // that it returned; after ended
}

type (
	sotwPipe  = pipe[*discovery.DiscoveryRequest, *discovery.DiscoveryResponse]
	deltaPipe = pipe[*discovery.DeltaDiscoveryRequest, *discovery.DeltaDiscoveryResponse]
)

// sotwPipe opens a SotW stream of a type (empty: ADS), past the network.
func (r *rig) sotwPipe(t *testing.T, typeURL string) *sotwPipe {
	t.Helper()
	return openPipe[*discovery.DiscoveryRequest, *discovery.DiscoveryResponse](t, r, typeURL, false)
}

// deltaPipe opens a delta stream of a type (empty: ADS), past the network.
func (r *rig) deltaPipe(t *testing.T, typeURL string) *deltaPipe {
	t.Helper()
	return openPipe[*discovery.DeltaDiscoveryRequest, *discovery.DeltaDiscoveryResponse](t, r, typeURL, true)
}

func openPipe[Q, R proto.Message](t *testing.T, r *rig, typeURL string, delta bool) *pipe[Q, R] {
	t.Helper()
	return openPipeFrom[Q, R](t, r, fmt.Sprintf("pipe-%d", pipes.Add(1)), typeURL, delta)
}

// pipes are counted, so that each is a connection of its own.
var pipes atomic.Int64

// openPipeFrom opens a stream on the connection from an address.
func openPipeFrom[Q, R proto.Message](t *testing.T, r *rig, address, typeURL string, delta bool) *pipe[Q, R] {
	t.Helper()
	ctx, cancel := context.WithCancel(peer.NewContext(t.Context(), &peer.Peer{Addr: &net.UnixAddr{Name: address}}))
	p := &pipe[Q, R]{
		ctx: ctx, ended: make(chan struct{}),
		requests: make(chan proto.Message), responses: make(chan proto.Message),
	}
	go func() {
		p.err = r.server.ServeStream(typeURL, delta, p)
		cancel() // as grpc does
		close(p.ended)
	}()
	t.Cleanup(func() {
		cancel()
		<-p.ended
	})
	return p
}

// Context implements grpc.ServerStream.
func (p *pipe[Q, R]) Context() context.Context { return p.ctx }

// RecvMsg implements grpc.ServerStream.
func (p *pipe[Q, R]) RecvMsg(m any) error {
	select {
	case q, open := <-p.requests:
		if !open {
			return io.EOF
		}
		proto.Merge(m.(proto.Message), q) //nolint:errcheck // a message of another kind is a bug of the server that may panic
		return nil
	case <-p.ctx.Done():
		return status.FromContextError(p.ctx.Err()).Err()
	}
}

// SendMsg implements grpc.ServerStream.
func (p *pipe[Q, R]) SendMsg(m any) error {
	select {
	case p.responses <- m.(proto.Message): //nolint:errcheck // as above
		return nil
	case <-p.ctx.Done():
		return status.FromContextError(p.ctx.Err()).Err()
	}
}

// Send is the client's. The server has worked in the request when it returns.
func (p *pipe[Q, R]) Send(q Q) error {
	select {
	case p.requests <- q:
		synctest.Wait()
		return nil
	case <-p.ended:
		return io.EOF
	}
}

// overTheWire encodes and decodes a response.
func overTheWire[R proto.Message](m proto.Message) (R, error) {
	var none R
	encoded, err := proto.Marshal(m)
	if err != nil {
		return none, err
	}
	r := none.ProtoReflect().New().Interface()
	return r.(R), proto.Unmarshal(encoded, r) //nolint:errcheck // it is one of R's own
}

// Recv is the client's.
func (p *pipe[Q, R]) Recv() (R, error) {
	var none R
	select {
	case m := <-p.responses:
		return overTheWire[R](m)
	case <-p.ended:
		return none, p.err
	case <-time.After(24 * time.Hour):
		return none, errors.New("nothing comes in a day")
	}
}

// CloseSend is the client's.
func (p *pipe[Q, R]) CloseSend() { close(p.requests) }

// silent checks that nothing is sent for a while.
func (p *pipe[Q, R]) silent(t *testing.T, while time.Duration) {
	t.Helper()
	select {
	case m := <-p.responses:
		t.Errorf("sent within %v: %v", while, m)
	case <-p.ended:
		t.Errorf("the stream ended within %v: %v", while, p.err)
	case <-time.After(while):
	}
}

// nextAfter checks that the next response takes that long, in the bubble's time.
func (p *pipe[Q, R]) nextAfter(t *testing.T, wait time.Duration) R {
	t.Helper()
	from := time.Now()
	r, err := p.Recv()
	if err != nil {
		t.Fatalf("Recv: %v", err)
	}
	if took := time.Since(from); took != wait {
		t.Errorf("the response took %v, want %v: %v", took, wait, r)
	}
	return r
}

// resources are the names of a SotW response's resources, sorted.
func resources(t *testing.T, r *discovery.DiscoveryResponse) []string {
	t.Helper()
	names := []string{}
	for _, packed := range r.GetResources() {
		resource, err := cache.NewResourceFromAny(packed)
		if err != nil {
			t.Fatalf("%v of %v", err, r)
		}
		names = append(names, resource.Name())
	}
	slices.Sort(names)
	return names
}

// deltaResources are the names of a delta response's resources, sorted.
func deltaResources(t *testing.T, r *discovery.DeltaDiscoveryResponse) []string {
	t.Helper()
	names := []string{}
	for _, one := range r.GetResources() {
		resource, err := cache.NewResourceFromAny(one.GetResource())
		if err != nil || resource.Name() != one.GetName() || resource.Version().String() != one.GetVersion() {
			t.Fatalf("resource %v: %v, %v", one, resource, err)
		}
		names = append(names, one.GetName())
	}
	slices.Sort(names)
	return names
}
