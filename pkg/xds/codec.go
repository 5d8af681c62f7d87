package xds

import (
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
// It works without: then each response is copied once more before it is sent, and
// a proxy that has vanished without a word is not noticed. With them it is after
// 40 s, and proxies may ask for signs of life as often as every 5 s.
func (s *Server) GRPCOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.ForceServerCodecV2(codec{encoding.GetCodecV2("proto")}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
	}
}

// codec is grpc's own, except that the resources of a response, which are
// encoded already, are handed to the connection as they are and not copied.
type codec struct{ encoding.CodecV2 }

// minShared is the size below which a copy costs less than a second buffer.
const minShared = 4096

// Marshal implements encoding.CodecV2.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	var head proto.Message
	switch m := v.(type) {
	case *discovery.DiscoveryResponse:
		head = &discovery.DiscoveryResponse{VersionInfo: m.GetVersionInfo(), TypeUrl: m.GetTypeUrl(), Nonce: m.GetNonce()}
		if len(m.GetResources()) > 0 {
			return c.CodecV2.Marshal(v)
		}
	case *discovery.DeltaDiscoveryResponse:
		head = &discovery.DeltaDiscoveryResponse{
			SystemVersionInfo: m.GetSystemVersionInfo(), TypeUrl: m.GetTypeUrl(), Nonce: m.GetNonce(), RemovedResources: m.GetRemovedResources(),
		}
		if len(m.GetResources()) > 0 {
			return c.CodecV2.Marshal(v)
		}
	default:
		return c.CodecV2.Marshal(v)
	}
	resources := v.(proto.Message).ProtoReflect().GetUnknown()
	if len(resources) < minShared {
		return c.CodecV2.Marshal(v)
	}
	encoded, err := proto.Marshal(head)
	if err != nil {
		return nil, err
	}
	return mem.BufferSlice{mem.SliceBuffer(encoded), mem.SliceBuffer(resources)}, nil
}
