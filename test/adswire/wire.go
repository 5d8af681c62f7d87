// Package adswire speaks ADS in encoded bytes. A client made of it looks at the
// few fields it needs and decodes nothing, so that a thousand of them on one
// machine do not measure themselves.
package adswire

import (
	"fmt"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// Fields is the field numbers of a message by field name.
type Fields map[string]protowire.Number

// The messages of ADS, and of the node in their requests; from their descriptors.
var (
	SotWRequest   = fieldsOf(&discoveryv3.DiscoveryRequest{})
	sotwResponse  = fieldsOf(&discoveryv3.DiscoveryResponse{})
	DeltaRequest  = fieldsOf(&discoveryv3.DeltaDiscoveryRequest{})
	deltaResponse = fieldsOf(&discoveryv3.DeltaDiscoveryResponse{})
	deltaResource = fieldsOf(&discoveryv3.Resource{})
	Node          = fieldsOf(&corev3.Node{})
)

func fieldsOf(m proto.Message) Fields {
	numbers := Fields{}
	fields := m.ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		numbers[string(fields.Get(i).Name())] = fields.Get(i).Number()
	}
	return numbers
}

// EachField visits the fields of an encoded message that hold bytes: strings,
// messages and map entries.
func EachField(message []byte, visit func(number protowire.Number, value []byte)) error {
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

// Scanner takes from a message what it needs; it must not keep the bytes.
type Scanner interface{ Scan(message []byte) error }

// Codec sends a mem.BufferSlice as it is, and receives into a Scanner or, as
// grpc-go's own codec does, into a proto.Message.
type Codec struct{}

// Name implements encoding.CodecV2.
func (Codec) Name() string { return "proto" }

// Marshal implements encoding.CodecV2.
func (Codec) Marshal(v any) (mem.BufferSlice, error) {
	message, ok := v.(mem.BufferSlice)
	if !ok {
		return nil, fmt.Errorf("%T is sent over the raw codec, which takes bytes only", v)
	}
	return message, nil
}

// Unmarshal implements encoding.CodecV2.
func (Codec) Unmarshal(data mem.BufferSlice, v any) error {
	message := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer message.Free()
	switch v := v.(type) {
	case Scanner:
		return v.Scan(message.ReadOnlyData())
	case proto.Message:
		return proto.Unmarshal(message.ReadOnlyData(), v)
	}
	return fmt.Errorf("%T receives from the raw codec, which neither scans nor is a message", v)
}

// NewClient returns an idle connection to a server, with windows like those of
// Envoy 1.40; and like Envoy it takes a response of any size.
func NewClient(address string) (*grpc.ClientConn, error) {
	const streamWindow, connectionWindow, message = 16 << 20, 24 << 20, 1 << 30
	return grpc.NewClient("passthrough:///"+address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithInitialWindowSize(streamWindow), grpc.WithInitialConnWindowSize(connectionWindow),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(message), grpc.ForceCodecV2(Codec{})))
}
