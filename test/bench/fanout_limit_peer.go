package main

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/xdsready/xdsready/test/adswire"
)

// newLimitFanout returns a server that only writes: for each type and node group
// it has one response, encoded before any proxy connects, and all proxies are
// sent those very bytes. It reads requests as grpc-go does, but for the names.
func newLimitFanout(l load) (*fanoutServer, error) {
	return newWriter(l.Delta, receiveDecoded(l.Delta)), nil
}

// newRawFanout returns the limit server without even the decoding of requests,
// which somebody has to do who wants to know what a proxy asks for.
func newRawFanout(l load) (*fanoutServer, error) {
	return newWriter(l.Delta, func(stream grpc.ServerStream) (ask, error) {
		r := rawAsk{delta: l.Delta}
		err := stream.RecvMsg(&r)
		return r.ask, err
	}), nil
}

func newWriter(isDelta bool, receive func(grpc.ServerStream) (ask, error)) *fanoutServer {
	s := &plainServer{receive: receive}
	p := newPacker(isDelta)
	return &fanoutServer{
		options:  []grpc.ServerOption{grpc.ForceServerCodecV2(adswire.Codec{})},
		register: s.register,
		prepare: func(_ context.Context, e edition) (func() error, error) {
			a, err := newLimitAnswers(p, e)
			return func() error { s.publish(a); return nil }, err
		},
	}
}

// newLimitAnswers encodes all that can be sent of an edition.
func newLimitAnswers(p *packer, e edition) (*answers, error) {
	packed, err := p.pack(e)
	if err != nil {
		return nil, err
	}
	encode := func(response proto.Message) mem.BufferSlice {
		body, encodeErr := proto.Marshal(response)
		if encodeErr != nil {
			err = encodeErr
		}
		return mem.BufferSlice{mem.SliceBuffer(body)}
	}
	first := map[string]map[string]mem.BufferSlice{} // by group, by type URL
	for group, types := range packed.groups {
		first[group] = map[string]mem.BufferSlice{}
		for typeURL, resources := range types {
			first[group][typeURL] = encode(p.response(packed.version, typeURL, resources))
		}
	}
	change := encode(p.change(packed))
	return newAnswers(
		func(group, typeURL string) any { return first[group][typeURL] },
		func() any { return change },
	), err
}

// rawAsk scans an encoded request.
type rawAsk struct {
	ask
	delta bool
}

// Scan implements adswire.Scanner.
func (r *rawAsk) Scan(message []byte) error {
	numbers := adswire.SotWRequest
	if r.delta {
		numbers = adswire.DeltaRequest
	}
	var node []byte
	err := adswire.EachField(message, func(number protowire.Number, value []byte) {
		switch number {
		case numbers["type_url"]:
			r.typeURL = string(value)
		case numbers["response_nonce"]:
			r.accepted = len(value) > 0
		case numbers["node"]:
			node = value
		}
	})
	if err != nil {
		return err
	}
	return adswire.EachField(node, func(number protowire.Number, value []byte) {
		if number == adswire.Node["cluster"] {
			r.group = string(value)
		}
	})
}
