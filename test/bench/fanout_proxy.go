package main

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/xdsready/xdsready/test/adswire"
)

// subscribedTypes is what a proxy subscribes to, in this order.
var subscribedTypes = []string{
	resourcev3.ClusterType, resourcev3.EndpointType, resourcev3.ListenerType, resourcev3.RouteType,
}

// What the client can wait for, of each proxy: the ACK of resources of a type,
// whose bit is its place in subscribedTypes, or any response.
const (
	ackedAll      uint32 = 0b01111
	ackedEndpoint uint32 = 0b00010
	anyResponse   uint32 = 0b10000
)

// proxy is one xDS client that subscribes to everything, ACKs everything and
// keeps nothing but versions.
type proxy struct {
	dialect adswire.Dialect
	node    []byte            // encoded
	names   map[string][]byte // by type URL: the encoded names that are asked for; shared
	holds   *inventory        // of the node group
	keeps   bool              // this proxy writes the inventory
	settled func()            // what was awaited has happened

	awaited                         atomic.Uint32 // bits that have not happened yet
	bytes, resources, resourceBytes atomic.Int64  // received
	empty                           atomic.Int64  // responses without resources, on this stream
}

// inventory is what each proxy of a node group holds when all have ACKed the
// same. One of them writes it, before any of them reads it to reconnect.
type inventory struct {
	types   map[string]*adswire.Holdings // by type URL
	encoded map[string][]byte            // by type URL, for first requests
}

func newInventory() *inventory {
	held := &inventory{types: map[string]*adswire.Holdings{}}
	for _, typeURL := range subscribedTypes {
		held.types[typeURL] = adswire.NewHoldings()
	}
	return held
}

// encode makes what is held ready for first requests.
func (i *inventory) encode(d adswire.Dialect) {
	i.encoded = map[string][]byte{}
	for typeURL, held := range i.types {
		i.encoded[typeURL] = d.Held(*held)
	}
}

func encodeNode(id int, group string) ([]byte, error) {
	return proto.Marshal(&corev3.Node{Id: fmt.Sprintf("proxy-%06d", id), Cluster: group})
}

// subscribe opens a stream and asks for each type, the way Envoy does when it
// reconnects: with the versions that it holds, before it has read any answer.
func (p *proxy) subscribe(ctx context.Context, connection *grpc.ClientConn) (grpc.ClientStream, error) {
	p.empty.Store(0)
	stream, err := connection.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true},
		p.dialect.Method())
	if err != nil {
		return nil, err
	}
	node := p.node
	for _, typeURL := range subscribedTypes {
		if err := stream.SendMsg(p.dialect.First(node, typeURL, p.holds.encoded[typeURL], p.names[typeURL])); err != nil {
			return nil, err
		}
		node = nil
	}
	return stream, nil
}

// follow ACKs what comes until the stream ends, and returns why it did: never nil.
func (p *proxy) follow(stream grpc.ClientStream) error {
	for {
		r := adswire.Response{Dialect: p.dialect}
		if p.keeps {
			r.Scribe = map[string]string{}
		}
		if err := stream.RecvMsg(&r); err != nil {
			return err
		}
		p.count(r)
		i := slices.Index(subscribedTypes, r.TypeURL)
		if i < 0 {
			continue // Envoy ignores what it has not subscribed to
		}
		if p.keeps {
			p.holds.types[r.TypeURL].Take(r)
		}
		if err := stream.SendMsg(p.dialect.Ack(r, p.names[r.TypeURL])); err != nil {
			return err
		}
		if r.Resources > 0 {
			p.settle(1 << i)
		}
	}
}

// count adds a response to what was received.
func (p *proxy) count(r adswire.Response) {
	p.bytes.Add(int64(r.Size))
	p.resources.Add(int64(r.Resources))
	p.resourceBytes.Add(int64(r.ResourceBytes))
	if r.Resources == 0 {
		p.empty.Add(1)
	}
	p.settle(anyResponse)
}

// settle strikes a bit from what is awaited and tells when that was the last.
func (p *proxy) settle(bit uint32) {
	if before := p.awaited.And(^bit); before == bit {
		p.settled()
	}
}
