package kubernetes

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/xdsready/xdsready/test/process"
)

// transports are the two variants of the protocol.
var transports = []string{"delta", "sotw"}

// identity is how a proxy presents itself.
type identity struct {
	node      *corev3.Node
	token     string // "" for none
	transport credentials.TransportCredentials
}

// ofGateway is the identity of a proxy that names its Gateway as its cluster.
func ofGateway(gateway string) identity {
	return identity{node: &corev3.Node{Id: "proxy", Cluster: gateway}, transport: insecure.NewCredentials()}
}

// byMetadata is the identity of a proxy that names its Gateway in its metadata.
func byMetadata(gateway string) identity {
	named := &structpb.Struct{Fields: map[string]*structpb.Value{"gateway": structpb.NewStringValue(gateway)}}
	return identity{
		node:      &corev3.Node{Id: "proxy", Cluster: "anything", Metadata: named},
		transport: insecure.NewCredentials(),
	}
}

// proxy is an xDS client with one ADS stream. It takes all it is sent, and ACKs
// it as Envoy does.
type proxy struct {
	// each is called with what the proxy holds after each response; nil: none.
	each  func(view)
	close func() // ends its stream, and waits for that

	mu      sync.Mutex // guards all below
	view    view
	changed chan struct{} // closed at the next response
	ended   error         // why the stream ended
}

// dialect is one variant of the protocol on one stream.
type dialect interface {
	// subscribe asks for names of a type, all if it is a whole one.
	subscribe(typeURL string, names []string) error
	// receive takes a response into the view and ACKs it.
	receive(apply func(change func(view) error) error) error
}

// connect connects a proxy to the program until the test ends.
func connect(t *testing.T, p *program, transport string, who identity) *proxy {
	t.Helper()
	return connectWatched(t, p, transport, who, nil)
}

// connectWatched is connect, with a function that sees each state of the view.
func connectWatched(t *testing.T, p *program, transport string, who identity, each func(view)) *proxy {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	x := &proxy{each: each, view: view{}, changed: make(chan struct{})}
	connection, err := grpc.NewClient(p.xds, grpc.WithTransportCredentials(who.transport))
	if err != nil {
		t.Fatal(err)
	}
	running := make(chan struct{})
	go func() {
		defer close(running)
		err := x.run(ctx, connection, transport, who)
		x.mu.Lock()
		defer x.mu.Unlock()
		x.ended = err
		close(x.changed)
		x.changed = make(chan struct{})
	}()
	x.close = func() {
		cancel()
		<-running
		_ = connection.Close()
	}
	t.Cleanup(x.close)
	return x
}

// run subscribes and receives until the stream ends, and says why.
func (x *proxy) run(ctx context.Context, connection *grpc.ClientConn, transport string, who identity) error {
	if who.token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+who.token)
	}
	client := discovery.NewAggregatedDiscoveryServiceClient(connection)
	var stream dialect
	switch transport {
	case "delta":
		s, err := client.DeltaAggregatedResources(ctx)
		if err != nil {
			return err
		}
		stream = &delta{stream: s, node: who.node, asked: map[string][]string{}}
	case "sotw":
		s, err := client.StreamAggregatedResources(ctx)
		if err != nil {
			return err
		}
		stream = &sotw{stream: s, node: who.node, asked: map[string][]string{}, last: map[string]*discovery.DiscoveryResponse{}}
	default:
		return fmt.Errorf("no transport %q", transport)
	}
	for _, typeURL := range whole {
		if err := stream.subscribe(typeURL, nil); err != nil {
			return receiveError(stream, err)
		}
	}
	for {
		if err := stream.receive(x.apply); err != nil {
			return err
		}
		for _, typeURL := range named {
			x.mu.Lock()
			names := x.view.wanted(typeURL)
			x.mu.Unlock()
			if err := stream.subscribe(typeURL, names); err != nil {
				return receiveError(stream, err)
			}
		}
	}
}

// receiveError returns why a stream has ended to which nothing can be sent.
func receiveError(stream dialect, sent error) error {
	if err := stream.receive(func(func(view) error) error { return nil }); err != nil {
		return err
	}
	return sent
}

// apply changes the view, shows it to who watches and wakes who waits.
func (x *proxy) apply(change func(view) error) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := change(x.view); err != nil {
		return err
	}
	if x.each != nil {
		x.each(x.view)
	}
	close(x.changed)
	x.changed = make(chan struct{})
	return nil
}

// until waits until the proxy holds what it should; what says that.
func (x *proxy) until(t *testing.T, what string, holds func(view) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), process.Limit)
	defer cancel()
	for {
		x.mu.Lock()
		done, ended, changed := holds(x.view), x.ended, x.changed
		x.mu.Unlock()
		switch {
		case done:
			return
		case ended != nil:
			t.Fatalf("the proxy's stream ended before %s: %v", what, ended)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("the proxy waits for %s since %v; it holds %s", what, process.Limit, x.inventory())
		}
	}
}

// wantEnd waits until the stream has ended and returns why.
func (x *proxy) wantEnd(t *testing.T) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), process.Limit)
	defer cancel()
	for {
		x.mu.Lock()
		ended, changed := x.ended, x.changed
		x.mu.Unlock()
		if ended != nil {
			return ended
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("the proxy's stream has not ended within %v", process.Limit)
		}
	}
}

// now returns what the proxy holds now.
func (x *proxy) now() view {
	x.mu.Lock()
	defer x.mu.Unlock()
	copied := view{}
	for typeURL, resources := range x.view {
		copied[typeURL] = maps.Clone(resources)
	}
	return copied
}

// inventory is what the proxy has now, as text.
func (x *proxy) inventory() string {
	v := x.now()
	var text string
	for _, typeURL := range slices.Concat(whole, named) {
		text += fmt.Sprintf("\n%s: %q", typeURL, sorted(v[typeURL]))
	}
	return text + fmt.Sprintf("\ntargets: %q", v.targets())
}
