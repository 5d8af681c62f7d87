package adswire

import (
	"maps"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// Dialect is how the proxies of a run speak: state of the world or delta.
type Dialect interface {
	// Method is the full gRPC method.
	Method() string
	// Names encodes the names of a subscription, as part of its requests.
	Names(names []string) []byte
	// Held encodes what a reconnecting proxy holds of a type, as part of its
	// first request.
	Held(h Holdings) []byte
	// First returns the first request for a type on a stream; node is nil but in
	// the first request of all.
	First(node []byte, typeURL string, held, names []byte) mem.BufferSlice
	// Ack returns the request that accepts a response.
	Ack(r Response, names []byte) mem.BufferSlice
	// read takes what is needed from a response.
	read(message []byte, r *Response) error
}

// Holdings is what a proxy holds of a type.
type Holdings struct {
	Version   string            // of the type, in SotW
	Resources map[string]string // name to version, in delta
}

// NewHoldings returns that of a proxy that holds nothing.
func NewHoldings() *Holdings { return &Holdings{Resources: map[string]string{}} }

// Take makes a response, whose resources are in its Scribe, part of what is held.
func (h *Holdings) Take(r Response) {
	h.Version = r.Version
	maps.Copy(h.Resources, r.Scribe)
}

// Response is what a proxy looks at in a response.
type Response struct {
	Dialect Dialect
	Scribe  map[string]string // takes the name and version of each resource, unless nil; delta only

	TypeURL, Version, Nonce string
	Size                    int // bytes, of the whole message
	Resources               int
	ResourceBytes           int
}

// Scan implements Scanner.
func (r *Response) Scan(message []byte) error {
	r.Size = len(message)
	return r.Dialect.read(message, r)
}

// add counts a resource.
func (r *Response) add(resource []byte) {
	r.Resources++
	r.ResourceBytes += len(resource)
}

// SotW is the state of the world: a response has all resources of a type.
type SotW struct{}

// Method implements Dialect.
func (SotW) Method() string {
	return discoveryv3.AggregatedDiscoveryService_StreamAggregatedResources_FullMethodName
}

// Names implements Dialect.
func (SotW) Names(names []string) (encoded []byte) {
	for _, name := range names {
		encoded = appendText(encoded, SotWRequest["resource_names"], name)
	}
	return encoded
}

// Held implements Dialect.
func (SotW) Held(h Holdings) []byte {
	if h.Version == "" {
		return nil
	}
	return appendText(nil, SotWRequest["version_info"], h.Version)
}

// First implements Dialect.
func (SotW) First(node []byte, typeURL string, held, names []byte) mem.BufferSlice {
	var own []byte
	if node != nil {
		own = appendMessage(own, SotWRequest["node"], node)
	}
	return message(appendText(own, SotWRequest["type_url"], typeURL), held, names)
}

// Ack implements Dialect.
func (SotW) Ack(r Response, names []byte) mem.BufferSlice {
	own := appendText(nil, SotWRequest["version_info"], r.Version)
	own = appendText(own, SotWRequest["type_url"], r.TypeURL)
	return message(appendText(own, SotWRequest["response_nonce"], r.Nonce), names)
}

func (SotW) read(message []byte, r *Response) error {
	return EachField(message, func(number protowire.Number, value []byte) {
		switch number {
		case sotwResponse["resources"]:
			r.add(value)
		case sotwResponse["type_url"]:
			r.TypeURL = string(value)
		case sotwResponse["version_info"]:
			r.Version = string(value)
		case sotwResponse["nonce"]:
			r.Nonce = string(value)
		}
	})
}

// Delta is the incremental variant: a response has what changed.
type Delta struct{}

// Method implements Dialect.
func (Delta) Method() string {
	return discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResources_FullMethodName
}

// Names implements Dialect.
func (Delta) Names(names []string) (encoded []byte) {
	for _, name := range names {
		encoded = appendText(encoded, DeltaRequest["resource_names_subscribe"], name)
	}
	return encoded
}

// Held implements Dialect.
func (Delta) Held(h Holdings) (encoded []byte) {
	const key, value = 1, 2 // of every map entry
	for name, version := range h.Resources {
		entry := appendText(appendText(nil, key, name), value, version)
		encoded = appendMessage(encoded, DeltaRequest["initial_resource_versions"], entry)
	}
	return encoded
}

// First implements Dialect.
func (Delta) First(node []byte, typeURL string, held, names []byte) mem.BufferSlice {
	var own []byte
	if node != nil {
		own = appendMessage(own, DeltaRequest["node"], node)
	}
	return message(appendText(own, DeltaRequest["type_url"], typeURL), held, names)
}

// Ack implements Dialect.
func (Delta) Ack(r Response, _ []byte) mem.BufferSlice {
	own := appendText(nil, DeltaRequest["type_url"], r.TypeURL)
	return message(appendText(own, DeltaRequest["response_nonce"], r.Nonce))
}

func (Delta) read(message []byte, r *Response) (err error) {
	outer := EachField(message, func(number protowire.Number, value []byte) {
		switch number {
		case deltaResponse["resources"]:
			r.add(value)
			if scanErr := r.record(value); scanErr != nil {
				err = scanErr
			}
		case deltaResponse["type_url"]:
			r.TypeURL = string(value)
		case deltaResponse["nonce"]:
			r.Nonce = string(value)
		}
	})
	if outer != nil {
		return outer
	}
	return err
}

// record keeps the name and version of a delta resource.
func (r *Response) record(resource []byte) error {
	if r.Scribe == nil {
		return nil
	}
	var name, version string
	err := EachField(resource, func(number protowire.Number, value []byte) {
		switch number {
		case deltaResource["name"]:
			name = string(value)
		case deltaResource["version"]:
			version = string(value)
		}
	})
	r.Scribe[name] = version
	return err
}

// message joins encoded fields; their order does not matter.
func message(parts ...[]byte) mem.BufferSlice {
	var joined mem.BufferSlice
	for _, part := range parts {
		if len(part) > 0 {
			joined = append(joined, mem.SliceBuffer(part))
		}
	}
	return joined
}
