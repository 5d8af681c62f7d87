package cache

import (
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// What is plain has nothing to find, and whatever could have is not plain.
func TestPlain(t *testing.T) {
	metadata := &corev3.Metadata{TypedFilterMetadata: map[string]*anypb.Any{"a": {}}}
	internal := &corev3.Address{Address: &corev3.Address_EnvoyInternalAddress{EnvoyInternalAddress: &corev3.EnvoyInternalAddress{
		AddressNameSpecifier: &corev3.EnvoyInternalAddress_ServerListenerName{ServerListenerName: "l"},
	}}}
	socket := &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{Address: "10.0.0.1"}}}
	of := func(e *endpointv3.LbEndpoint) *endpointv3.ClusterLoadAssignment {
		return &endpointv3.ClusterLoadAssignment{ClusterName: "c", Endpoints: []*endpointv3.LocalityLbEndpoints{{LbEndpoints: []*endpointv3.LbEndpoint{e}}}}
	}
	at := func(e *endpointv3.Endpoint) *endpointv3.LbEndpoint {
		return &endpointv3.LbEndpoint{HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: e}}
	}
	withMetadata := at(&endpointv3.Endpoint{Address: socket})
	withMetadata.Metadata = metadata
	health := &endpointv3.Endpoint_HealthCheckConfig{Address: internal}
	leds := &endpointv3.LocalityLbEndpoints_LedsClusterLocalityConfig{LedsClusterLocalityConfig: &endpointv3.LedsClusterLocalityConfig{LedsConfig: ads()}}
	for name, tt := range map[string]struct {
		message proto.Message
		want    bool
	}{
		"no endpoints":             {assignment("c"), true},
		"an address":               {of(at(&endpointv3.Endpoint{Address: socket})), true},
		"not an assignment":        {staticCluster("c"), false},
		"an internal listener":     {of(at(&endpointv3.Endpoint{Address: internal})), false},
		"two addresses":            {of(at(&endpointv3.Endpoint{Address: socket, AdditionalAddresses: []*endpointv3.Endpoint_AdditionalAddress{{Address: internal}}})), false},
		"a health check elsewhere": {of(at(&endpointv3.Endpoint{Address: socket, HealthCheckConfig: health})), false},
		"metadata of an endpoint":  {of(withMetadata), false},
		"metadata of a locality":   {&endpointv3.ClusterLoadAssignment{ClusterName: "c", Endpoints: []*endpointv3.LocalityLbEndpoints{{Metadata: metadata}}}, false},
		"a collection":             {&endpointv3.ClusterLoadAssignment{ClusterName: "c", Endpoints: []*endpointv3.LocalityLbEndpoints{{LbConfig: leds}}}, false},
		"endpoints by name":        {&endpointv3.ClusterLoadAssignment{ClusterName: "c", NamedEndpoints: map[string]*endpointv3.Endpoint{"e": {Address: internal}}}, false},
	} {
		if got := plain(tt.message); got != tt.want {
			t.Errorf("%s: plain is %v, want %v", name, got, tt.want)
		}
		var found references
		if err := normalize(proto.Clone(tt.message).ProtoReflect(), &found, 0); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if tt.want && len(found.targets)+len(found.unknown) > 0 {
			t.Errorf("%s is plain and refers to %v, %v", name, found.targets, found.unknown)
		}
	}
}

// A field that a newer Envoy adds to these messages has to be looked at: plain
// passes over what it does not know.
func TestPlainKnowsAllFields(t *testing.T) {
	var got []string
	for _, m := range []proto.Message{
		&endpointv3.ClusterLoadAssignment{}, &endpointv3.LocalityLbEndpoints{}, &endpointv3.LbEndpoint{}, &endpointv3.Endpoint{},
	} {
		fields := m.ProtoReflect().Descriptor().Fields()
		for i := range fields.Len() {
			if f := fields.Get(i); f.Message() != nil && f.Message().ParentFile().Package() != "google.protobuf" {
				got = append(got, string(f.Parent().Name())+"."+string(f.Name()))
			}
		}
	}
	want := []string{
		"ClusterLoadAssignment.endpoints", "ClusterLoadAssignment.named_endpoints", "ClusterLoadAssignment.policy",
		"LocalityLbEndpoints.locality", "LocalityLbEndpoints.metadata", "LocalityLbEndpoints.lb_endpoints",
		"LocalityLbEndpoints.load_balancer_endpoints", "LocalityLbEndpoints.leds_cluster_locality_config",
		"LbEndpoint.endpoint", "LbEndpoint.metadata",
		"Endpoint.address", "Endpoint.health_check_config", "Endpoint.additional_addresses",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fields with messages (-known +there):\n%s", diff)
	}
}
