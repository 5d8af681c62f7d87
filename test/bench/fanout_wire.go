package main

import (
	"fmt"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// The fan-out client and the limit server look at the few fields they need in
// the bytes of a message and decode nothing, so that the measurement does not
// measure them. Field numbers come from the descriptors of these messages.
var (
	sotwRequest   = numbersOf(&discoveryv3.DiscoveryRequest{})
	sotwResponse  = numbersOf(&discoveryv3.DiscoveryResponse{})
	deltaRequest  = numbersOf(&discoveryv3.DeltaDiscoveryRequest{})
	deltaResponse = numbersOf(&discoveryv3.DeltaDiscoveryResponse{})
	deltaResource = numbersOf(&discoveryv3.Resource{})
	nodeFields    = numbersOf(&corev3.Node{})
)

// numbersOf returns the field numbers of a message by field name.
func numbersOf(m proto.Message) map[string]protowire.Number {
	numbers := map[string]protowire.Number{}
	fields := m.ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		numbers[string(fields.Get(i).Name())] = fields.Get(i).Number()
	}
	return numbers
}

// eachField visits the fields of an encoded message that hold bytes: strings,
// messages and map entries.
func eachField(message []byte, visit func(number protowire.Number, value []byte)) error {
	for len(message) > 0 {
		number, kind, size := protowire.ConsumeTag(message)
		if size < 0 {
			return fmt.Errorf("broken message: %w", protowire.ParseError(size))
		}
		message = message[size:]
		if kind == protowire.BytesType {
			value, n := protowire.ConsumeBytes(message)
			if n >= 0 {
				visit(number, value)
			}
			size = n
		} else {
			size = protowire.ConsumeFieldValue(number, kind, message)
		}
		if size < 0 {
			return fmt.Errorf("broken message: %w", protowire.ParseError(size))
		}
		message = message[size:]
	}
	return nil
}

// appendText appends a string field.
func appendText(message []byte, number protowire.Number, text string) []byte {
	return protowire.AppendString(protowire.AppendTag(message, number, protowire.BytesType), text)
}

// appendMessage appends a message field.
func appendMessage(message []byte, number protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(message, number, protowire.BytesType), value)
}

// scanner takes from a message what it needs; it must not keep the bytes.
type scanner interface{ scan(message []byte) error }

// rawCodec sends a mem.BufferSlice as it is, and receives into a scanner or, as
// grpc-go's own codec does, into a proto.Message.
type rawCodec struct{}

// Name implements encoding.CodecV2.
func (rawCodec) Name() string { return "proto" }

// Marshal implements encoding.CodecV2.
func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	message, ok := v.(mem.BufferSlice)
	if !ok {
		return nil, fmt.Errorf("%T is sent over the raw codec, which takes bytes only", v)
	}
	return message, nil
}

// Unmarshal implements encoding.CodecV2.
func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	message := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer message.Free()
	switch v := v.(type) {
	case scanner:
		return v.scan(message.ReadOnlyData())
	case proto.Message:
		return proto.Unmarshal(message.ReadOnlyData(), v)
	}
	return fmt.Errorf("%T receives from the raw codec, which neither scans nor is a message", v)
}
