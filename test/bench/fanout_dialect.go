package main

import (
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// dialect is how the proxies of a run speak: state of the world or delta.
type dialect interface {
	// method is the full gRPC method.
	method() string
	// names encodes the names of a subscription, as part of its requests.
	names(names []string) []byte
	// held encodes what a reconnecting proxy holds of a type, as part of its
	// first request.
	held(h holdings) []byte
	// first returns the first request for a type on a stream; node is nil but in
	// the first request of all.
	first(node []byte, typeURL string, held, names []byte) mem.BufferSlice
	// ack returns the request that accepts a response.
	ack(r response, names []byte) mem.BufferSlice
	// read takes what is needed from a response.
	read(message []byte, r *response) error
}

// holdings is what a proxy holds of a type.
type holdings struct {
	version   string            // of the type, in SotW
	resources map[string]string // name to version, in delta
}

// response is what a proxy looks at in a response.
type response struct {
	dialect dialect
	scribe  map[string]string // takes the name and version of each resource, unless nil; delta only

	typeURL, version, nonce string
	size                    int // bytes, of the whole message
	resources               int
	resourceBytes           int
}

// scan implements scanner.
func (r *response) scan(message []byte) error {
	r.size = len(message)
	return r.dialect.read(message, r)
}

// add counts a resource.
func (r *response) add(resource []byte) {
	r.resources++
	r.resourceBytes += len(resource)
}

type sotw struct{}

func (sotw) method() string {
	return discoveryv3.AggregatedDiscoveryService_StreamAggregatedResources_FullMethodName
}

func (sotw) names(names []string) (encoded []byte) {
	for _, name := range names {
		encoded = appendText(encoded, sotwRequest["resource_names"], name)
	}
	return encoded
}

func (sotw) held(h holdings) []byte {
	if h.version == "" {
		return nil
	}
	return appendText(nil, sotwRequest["version_info"], h.version)
}

func (sotw) first(node []byte, typeURL string, held, names []byte) mem.BufferSlice {
	var own []byte
	if node != nil {
		own = appendMessage(own, sotwRequest["node"], node)
	}
	return message(appendText(own, sotwRequest["type_url"], typeURL), held, names)
}

func (sotw) ack(r response, names []byte) mem.BufferSlice {
	own := appendText(nil, sotwRequest["version_info"], r.version)
	own = appendText(own, sotwRequest["type_url"], r.typeURL)
	return message(appendText(own, sotwRequest["response_nonce"], r.nonce), names)
}

func (sotw) read(message []byte, r *response) error {
	return eachField(message, func(number protowire.Number, value []byte) {
		switch number {
		case sotwResponse["resources"]:
			r.add(value)
		case sotwResponse["type_url"]:
			r.typeURL = string(value)
		case sotwResponse["version_info"]:
			r.version = string(value)
		case sotwResponse["nonce"]:
			r.nonce = string(value)
		}
	})
}

type delta struct{}

func (delta) method() string {
	return discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResources_FullMethodName
}

func (delta) names(names []string) (encoded []byte) {
	for _, name := range names {
		encoded = appendText(encoded, deltaRequest["resource_names_subscribe"], name)
	}
	return encoded
}

func (delta) held(h holdings) (encoded []byte) {
	const key, value = 1, 2 // of every map entry
	for name, version := range h.resources {
		entry := appendText(appendText(nil, key, name), value, version)
		encoded = appendMessage(encoded, deltaRequest["initial_resource_versions"], entry)
	}
	return encoded
}

func (delta) first(node []byte, typeURL string, held, names []byte) mem.BufferSlice {
	var own []byte
	if node != nil {
		own = appendMessage(own, deltaRequest["node"], node)
	}
	return message(appendText(own, deltaRequest["type_url"], typeURL), held, names)
}

func (delta) ack(r response, _ []byte) mem.BufferSlice {
	own := appendText(nil, deltaRequest["type_url"], r.typeURL)
	return message(appendText(own, deltaRequest["response_nonce"], r.nonce))
}

func (delta) read(message []byte, r *response) (err error) {
	outer := eachField(message, func(number protowire.Number, value []byte) {
		switch number {
		case deltaResponse["resources"]:
			r.add(value)
			if scanErr := r.record(value); scanErr != nil {
				err = scanErr
			}
		case deltaResponse["type_url"]:
			r.typeURL = string(value)
		case deltaResponse["nonce"]:
			r.nonce = string(value)
		}
	})
	if outer != nil {
		return outer
	}
	return err
}

// record keeps the name and version of a delta resource.
func (r *response) record(resource []byte) error {
	if r.scribe == nil {
		return nil
	}
	var name, version string
	err := eachField(resource, func(number protowire.Number, value []byte) {
		switch number {
		case deltaResource["name"]:
			name = string(value)
		case deltaResource["version"]:
			version = string(value)
		}
	})
	r.scribe[name] = version
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
