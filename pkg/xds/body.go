package xds

import (
	"slices"
	"sync"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"github.com/xdsready/xdsready/pkg/cache"
	"github.com/xdsready/xdsready/pkg/xds/publish"
)

// body is all resources of a type, encoded as the field resources of a response.
type body struct {
	bytes []byte
	ends  []int // of each resource in bytes, in the order of the snapshot
}

// body returns the body of a type: made at the first call, and shared by all
// proxies of the group.
func (e *edition) body(typeURL string, form cache.Form) *body {
	known, ok := e.bodies[form].Load(typeURL)
	if !ok {
		encode := sync.OnceValue(func() *body { return newBody(e.target.Snapshot().Resources(typeURL), form) })
		known, _ = e.bodies[form].LoadOrStore(typeURL, encode)
	}
	return known.(func() *body)() //nolint:errcheck // the map has nothing else
}

func newBody(resources []cache.Resource, form cache.Form) *body {
	b := &body{bytes: cache.Encode(nil, form), ends: make([]int, 0, len(resources))}
	for _, r := range resources {
		b.bytes = r.AppendTo(b.bytes, form)
		b.ends = append(b.ends, len(b.bytes))
	}
	return b
}

// run returns the resources from index first to last, both included.
func (b *body) run(first, last int) []byte {
	from := 0
	if first > 0 {
		from = b.ends[first-1]
	}
	return b.bytes[from:b.ends[last]:b.ends[last]]
}

// pieces returns the resources of a response, encoded, in one piece or several:
// pieces of the bodies that all proxies share where that is possible.
func (e *edition) pieces(r publish.Response, form cache.Form) (pieces [][]byte) {
	if r.Whole {
		pieces = append(pieces, e.body(r.TypeURL, form).bytes)
	}
	switch all := e.target.Snapshot().Resources(r.TypeURL); {
	case len(r.Resources) == 0:
	case len(r.Resources) >= len(all)/minRun:
		pieces = append(pieces, e.runs(r, form)...)
	default:
		pieces = append(pieces, cache.Encode(r.Resources, form))
	}
	if len(r.Heartbeats) > 0 {
		var alive []byte
		for _, resource := range r.Heartbeats {
			alive = resource.AppendHeartbeatTo(alive, form)
		}
		pieces = append(pieces, alive)
	}
	return pieces
}

// minRun is the part of a type's resources, as 1/minRun, from which on it pays to
// look for those that are shared: for less, all would be encoded for a few.
const minRun = 5

// runs returns the resources of a response, each run of neighbours in the
// snapshot as one piece of its body.
func (e *edition) runs(r publish.Response, form cache.Form) (pieces [][]byte) {
	snapshot, shared := e.target.Snapshot(), e.body(r.TypeURL, form)
	all := snapshot.Resources(r.TypeURL)
	for i := 0; i < len(r.Resources); {
		first, ok := snapshot.Index(r.TypeURL, r.Resources[i].Name())
		if !ok || !all[first].Equal(r.Resources[i]) {
			pieces = append(pieces, r.Resources[i].AppendTo(nil, form))
			i++
			continue
		}
		last := first
		for i++; i < len(r.Resources) && last+1 < len(all) && all[last+1] == r.Resources[i]; i++ {
			last++
		}
		pieces = append(pieces, shared.run(first, last))
	}
	return pieces
}

// Responses whose resources are pieces of memory that others share. Only our codec
// can send them: to grpc's own, and to who looks at one on the way, it is a response
// without resources.
type (
	sotwInPieces struct {
		*discovery.DiscoveryResponse
		pieces [][]byte
	}
	deltaInPieces struct {
		*discovery.DeltaDiscoveryResponse
		pieces [][]byte
	}
)

// Joined returns the response in the form that grpc's codec can send too.
func (r sotwInPieces) Joined() proto.Message { return joined(r.DiscoveryResponse, r.pieces) }

// Joined returns the response in the form that grpc's codec can send too.
func (r deltaInPieces) Joined() proto.Message { return joined(r.DeltaDiscoveryResponse, r.pieces) }

// joined returns head with the resources, which it gets as fields that its Go type
// need not know: proto.Marshal copies these as they are.
func joined(head proto.Message, pieces [][]byte) proto.Message {
	m := proto.Clone(head)
	m.ProtoReflect().SetUnknown(join(pieces))
	return m
}

// join returns the pieces as one.
func join(pieces [][]byte) []byte {
	if len(pieces) == 1 {
		return pieces[0]
	}
	return slices.Concat(pieces...)
}

// encode returns the wire form of head with the resources.
func encode(head proto.Message, pieces [][]byte) (mem.BufferSlice, error) {
	first, err := proto.Marshal(head)
	if err != nil {
		return nil, err
	}
	encoded := mem.BufferSlice{mem.SliceBuffer(first)}
	for _, piece := range pieces {
		encoded = append(encoded, mem.SliceBuffer(piece))
	}
	return encoded, nil
}
