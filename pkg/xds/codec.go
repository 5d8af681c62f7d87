package xds

import (
	"context"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // the codec that ours wraps
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
)

// GRPCOptions returns the options that the server likes a grpc server to have.
// It works without: then each response is copied once more before it is sent, a
// proxy that has vanished without a word is not noticed, and a delta proxy that
// holds some ten thousand resources cannot come back, since its first request
// names them all. With them the first is noticed after 40 s, proxies may ask for
// signs of life as often as every 5 s, and a request may have 32 MB.
//
// An interceptor that looks into responses gets, with these options, a message
// that is no discovery response itself but has the getters of its head, and the
// method Joined() proto.Message, which returns the whole of it.
func (s *Server) GRPCOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.ForceServerCodecV2(codec{encoding.GetCodecV2("proto"), s.names}),
		grpc.ChainStreamInterceptor(markStream),
		grpc.MaxRecvMsgSize(32 << 20),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
	}
}

// codec is grpc's own, except that the resources of a response, which are
// encoded already, are handed to the connection as they are and not copied, and
// that long lists of names in requests are decoded once for all who send them.
type codec struct {
	encoding.CodecV2
	names *nameTable
}

// Marshal implements encoding.CodecV2.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	switch r := v.(type) {
	case sotwInPieces:
		return encode(r.DiscoveryResponse, r.pieces)
	case deltaInPieces:
		return encode(r.DeltaDiscoveryResponse, r.pieces)
	}
	return c.CodecV2.Marshal(v)
}

// hasCodec is in the context of streams of a grpc server that has our codec.
type hasCodec struct{}

// markStream tells ServeStream that it can send responses in pieces.
func markStream(server any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	return handler(server, markedStream{ss, context.WithValue(ss.Context(), hasCodec{}, true)})
}

type markedStream struct {
	grpc.ServerStream
	ctx context.Context //nolint:containedctx // that is what ServerStream.Context returns
}

// Context implements grpc.ServerStream.
func (s markedStream) Context() context.Context { return s.ctx }

// minShared is the size of a request below which sharing its names costs more
// than it saves.
const minShared = 4096

// namesField is the number of resource_names in a DiscoveryRequest and of
// resource_names_subscribe in a DeltaDiscoveryRequest.
const namesField = 3

// Unmarshal implements encoding.CodecV2.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	var request proto.Message
	var list *[]string
	switch m := v.(type) {
	case *discovery.DiscoveryRequest:
		request, list = m, &m.ResourceNames
	case *discovery.DeltaDiscoveryRequest:
		request, list = m, &m.ResourceNamesSubscribe
	}
	if list == nil || data.Len() < minShared {
		return c.CodecV2.Unmarshal(data, v)
	}
	message := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer message.Free()
	names, rest, err := splitNames(message.ReadOnlyData(), namesField)
	if err != nil {
		return err
	}
	if err := proto.Unmarshal(rest, request); err != nil {
		return err
	}
	*list, err = c.names.decode(names)
	return err
}
