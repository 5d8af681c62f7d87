package cache

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"google.golang.org/protobuf/proto"
)

// plain reports whether m is a load assignment of nothing but addresses, as most
// are and as change most: it holds no Any and refers to nothing, so normalize,
// which walks a message by reflection, would find nothing in it.
func plain(m proto.Message) bool {
	c, ok := m.(*endpointv3.ClusterLoadAssignment)
	if !ok || len(c.GetNamedEndpoints()) > 0 || c.GetPolicy() != nil {
		return false
	}
	for _, locality := range c.GetEndpoints() {
		if locality.GetMetadata() != nil || locality.GetLbConfig() != nil {
			return false
		}
		for _, e := range locality.GetLbEndpoints() {
			if e.GetMetadata() != nil || !plainAddress(e.GetEndpoint()) {
				return false
			}
		}
	}
	return true
}

func plainAddress(e *endpointv3.Endpoint) bool {
	_, socket := e.GetAddress().GetAddress().(*corev3.Address_SocketAddress)
	return socket && e.GetHealthCheckConfig() == nil && len(e.GetAdditionalAddresses()) == 0
}
