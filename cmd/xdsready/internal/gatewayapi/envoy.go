package gatewayapi

import (
	"fmt"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/proto"

	"github.com/xdsready/xdsready/pkg/cache"
)

// message is a message that knows Envoy's own rules for it.
type message interface {
	proto.Message
	ValidateAll() error
}

// newResource makes a resource that keeps Envoy's own rules. One that does not
// would be rejected by every proxy; the inputs are checked so that it cannot
// happen, and the tests hold clusters and load assignments, of which there are
// too many to look at each here, against the rules as well.
//
// The message is not copied. Plans share the routes of a Resolution, which holds
// no Any and which nobody changes.
func newResource(m message) (cache.Resource, error) {
	if err := m.ValidateAll(); err != nil {
		return cache.Resource{}, fmt.Errorf("a %s that Envoy would reject: %w", m.ProtoReflect().Descriptor().Name(), err)
	}
	return cache.OwnResource(m)
}

// ads says that a resource comes on the stream that named it.
func ads() *corev3.ConfigSource {
	return &corev3.ConfigSource{
		ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
		ResourceApiVersion:    corev3.ApiVersion_V3,
	}
}

// socketAddress is a TCP address.
func socketAddress(host string, port int32) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address:       host,
		PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(port)},
	}}}
}
