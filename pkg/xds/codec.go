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
		grpc.ForceServerCodecV2(codec{encoding.GetCodecV2("proto"), s.names}),
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

// minShared is the size below which sharing costs more than it saves.
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

// namesField is the number of resource_names in a DiscoveryRequest and of
// resource_names_subscribe in a DeltaDiscoveryRequest.
const namesField = 3

// Unmarshal implements encoding.CodecV2.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	var list *[]string
	switch m := v.(type) {
	case *discovery.DiscoveryRequest:
		list = &m.ResourceNames
	case *discovery.DeltaDiscoveryRequest:
		list = &m.ResourceNamesSubscribe
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
	if err := proto.Unmarshal(rest, v.(proto.Message)); err != nil {
		return err
	}
	*list, err = c.names.decode(names)
	return err
}
