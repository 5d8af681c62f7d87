package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/protobuf/proto"

	"github.com/xdsready/xdsready/test/adswire"
)

// subscribedTypes is what a proxy subscribes to, in Envoy's order.
var subscribedTypes = []string{
	resourcev3.ClusterType, resourcev3.EndpointType, resourcev3.ListenerType, resourcev3.RouteType,
}

// proxy is a simulated Envoy: it loses and opens streams as Envoy does, ACKs
// everything, and remembers the versions of what it holds.
type proxy struct {
	kind    kind
	dialect adswire.Dialect
	node    []byte            // encoded
	names   map[string][]byte // by type URL: the encoded names that are asked for; shared

	backOff     *backOff
	addresses   *rotation
	connections map[string]*grpc.ClientConn  // by address; Envoy's connection pools
	holds       map[string]*adswire.Holdings // by type URL

	mu        sync.Mutex // guards the rest, which others read
	watch     stopwatch
	gaps      []gap
	resources int             // received so far
	loaded    map[string]bool // by type URL: ever received
	at        string          // address of the present stream
}

func newProxy(number int, c fleetConfig) (*proxy, error) {
	node, err := proto.Marshal(&corev3.Node{Id: fmt.Sprintf("simulated-%04d", number), Cluster: "simulated"})
	if err != nil {
		return nil, err
	}
	k := kindOf(number, false)
	var dialect adswire.Dialect = adswire.Delta{}
	if k.Transport == sotwTransport {
		dialect = adswire.SotW{}
	}
	random := rand.New(rand.NewPCG(c.Seed, uint64(number)))
	p := &proxy{
		kind: k, dialect: dialect, node: node,
		names: map[string][]byte{
			resourcev3.EndpointType: dialect.Names(serviceNames(c.Services)),
			resourcev3.RouteType:    dialect.Names([]string{tableName}),
		},
		backOff: k.Bootstrap.newBackOff(random), addresses: newRotation(c.Addresses, random),
		connections: map[string]*grpc.ClientConn{}, holds: map[string]*adswire.Holdings{}, loaded: map[string]bool{},
	}
	for _, typeURL := range subscribedTypes {
		p.holds[typeURL] = adswire.NewHoldings()
	}
	return p, nil
}

// run opens one stream after another until the context ends.
func (p *proxy) run(ctx context.Context) {
	defer func() {
		for _, connection := range p.connections {
			_ = connection.Close()
		}
	}()
	for {
		_ = p.session(ctx) // Envoy comes back whatever the reason was
		p.end()
		select {
		case <-time.After(p.backOff.next()):
		case <-ctx.Done():
			return
		}
	}
}

// session opens a stream and follows it to its end; its error is never nil.
func (p *proxy) session(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	address := p.addresses.next()
	connection, err := p.connect(address)
	if err != nil {
		return err
	}
	stream, err := connection.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, p.dialect.Method())
	if err != nil {
		return err
	}
	node := p.node
	for _, typeURL := range subscribedTypes {
		held := p.dialect.Held(*p.holds[typeURL])
		if err := stream.SendMsg(p.dialect.First(node, typeURL, held, p.names[typeURL])); err != nil {
			return err
		}
		node = nil
	}
	for {
		r := adswire.Response{Dialect: p.dialect, Scribe: map[string]string{}}
		if err := stream.RecvMsg(&r); err != nil {
			return err
		}
		p.answer(address, r)
		holds := p.holds[r.TypeURL]
		if holds == nil {
			continue // Envoy ignores what it has not subscribed to
		}
		holds.Take(r)
		if err := stream.SendMsg(p.dialect.Ack(r, p.names[r.TypeURL])); err != nil {
			return err
		}
	}
}

// connect returns a connection to the address: the one that is open, or a new
// one that begins with the first stream on it. grpc-go's own connection would
// back off for itself, and Envoy's does not.
func (p *proxy) connect(address string) (*grpc.ClientConn, error) {
	if connection := p.connections[address]; connection != nil {
		if connection.GetState() == connectivity.Ready {
			return connection, nil
		}
		_ = connection.Close()
		delete(p.connections, address)
	}
	connection, err := adswire.NewClient(address)
	if err == nil {
		p.connections[address] = connection
	}
	return connection, err
}

// answer notes a response on the present stream.
func (p *proxy) answer(address string, r adswire.Response) {
	p.backOff.reset()
	p.mu.Lock()
	defer p.mu.Unlock()
	if length, closed := p.watch.answer(time.Now()); closed {
		p.gaps = append(p.gaps, gap{p.kind, length})
	}
	p.at = address
	p.resources += r.Resources
	if r.Resources > 0 {
		p.loaded[r.TypeURL] = true
	}
}

// end notes the end of a stream.
func (p *proxy) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watch.end(time.Now())
	p.at = ""
}

// addTo adds this proxy to what is known of all; with its gaps, if they are
// wanted, which are then forgotten.
func (p *proxy) addTo(s *fleetState, withGaps bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.Resources += p.resources
	if len(p.loaded) == len(subscribedTypes) {
		s.Loaded++
	}
	if p.watch.served {
		s.Serving++
		s.At[p.at]++
	}
	if withGaps {
		s.Gaps = append(s.Gaps, p.gaps...)
		p.gaps = nil
	}
}
