package admission

import (
	"slices"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/service/accesslog/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	loadstatsv3 "github.com/envoyproxy/go-control-plane/envoy/service/load_stats/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/google/go-cmp/cmp"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/xdsready/xdsready/pkg/cache"
)

// The labels are the words of pkg/cache, which this package may not import.
func TestTypesAreNamedAsInTheCache(t *testing.T) {
	want := []string{"other"}
	for _, url := range cache.AllTypes() {
		label := strings.ReplaceAll(cache.Kind(url), " ", "_")
		want = append(want, label)
		if got := typeOf(url, sotwADS).String(); got != label {
			t.Errorf("type %s has the label %q, want %q", url, got, label)
		}
	}
	var got []string
	for _, names := range resourceTypes {
		got = append(got, names.label)
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("labels (-cache +admission):\n%s", diff)
	}
}

func TestTypeOf(t *testing.T) {
	for _, tc := range []struct {
		name, url, method string
		want              resourceType
	}{
		{name: "a version that is not there yet", url: "type.googleapis.com/envoy.config.cluster.v4.Cluster", method: sotwADS, want: typeCluster},
		{name: "a type of somebody else", url: "type.googleapis.com/example.Thing", method: sotwADS, want: typeOther},
		{name: "a type whose name only ends alike", url: "type.googleapis.com/example.NoCluster", method: sotwADS, want: typeOther},
		{name: "no type on ADS", method: sotwADS, want: typeOther},
		{name: "no type on a stream of one type", method: sotwClusters, want: typeCluster},
		{name: "no type on a delta stream of one type", method: deltaClusters, want: typeCluster},
		{name: "no type, endpoints", method: "/envoy.service.endpoint.v3.EndpointDiscoveryService/StreamEndpoints", want: typeLoadAssignment},
		{name: "no type, listeners", method: "/envoy.service.listener.v3.ListenerDiscoveryService/StreamListeners", want: typeListener},
		{name: "no type, routes", method: "/envoy.service.route.v3.RouteDiscoveryService/StreamRoutes", want: typeRouteTable},
		{name: "no type, scoped routes", method: "/envoy.service.route.v3.ScopedRoutesDiscoveryService/StreamScopedRoutes", want: typeScopedRoute},
		{name: "no type, virtual hosts", method: "/envoy.service.route.v3.VirtualHostDiscoveryService/DeltaVirtualHosts", want: typeVirtualHost},
		{name: "no type, secrets", method: "/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets", want: typeSecret},
		{name: "no type, extensions", method: "/envoy.service.extension.v3.ExtensionConfigDiscoveryService/StreamExtensionConfigs", want: typeExtensionConfig},
		{name: "no type, runtime", method: "/envoy.service.runtime.v3.RuntimeDiscoveryService/StreamRuntime", want: typeRuntimeLayer},
		{name: "the type in the message wins", url: resourcev3.ListenerType, method: sotwClusters, want: typeListener},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := typeOf(tc.url, tc.method); got != tc.want {
				t.Errorf("typeOf(%q, %q) = %v, want %v", tc.url, tc.method, got, tc.want)
			}
		})
	}
}

func TestReadRequest(t *testing.T) {
	rejection := &rpcstatus.Status{Message: "malformed"}
	for _, tc := range []struct {
		name    string
		message any
		want    request
		no      bool // it is no discovery request
	}{
		{
			name:    "SotW, first",
			message: &discoveryv3.DiscoveryRequest{TypeUrl: resourcev3.ClusterType},
			want:    request{resource: typeCluster, asks: true},
		},
		{
			name:    "SotW, first, with the version of an earlier stream",
			message: &discoveryv3.DiscoveryRequest{TypeUrl: resourcev3.ClusterType, VersionInfo: "7"},
			want:    request{resource: typeCluster, asks: true, holds: true},
		},
		{
			name:    "SotW, ACK",
			message: &discoveryv3.DiscoveryRequest{TypeUrl: resourcev3.ClusterType, VersionInfo: "7", ResponseNonce: "1"},
			want:    request{resource: typeCluster, nonce: "1", holds: true},
		},
		{
			name:    "SotW, NACK",
			message: &discoveryv3.DiscoveryRequest{TypeUrl: resourcev3.ClusterType, ResponseNonce: "1", ErrorDetail: rejection},
			want:    request{resource: typeCluster, nonce: "1", rejection: "malformed", rejected: true},
		},
		{
			name:    "delta, first, wildcard",
			message: &discoveryv3.DeltaDiscoveryRequest{TypeUrl: resourcev3.ClusterType},
			want:    request{resource: typeCluster},
		},
		{
			name:    "delta, first, with what an earlier stream brought",
			message: &discoveryv3.DeltaDiscoveryRequest{TypeUrl: resourcev3.ClusterType, InitialResourceVersions: map[string]string{"web": "7"}},
			want:    request{resource: typeCluster, holds: true},
		},
		{
			name:    "delta, ACK",
			message: &discoveryv3.DeltaDiscoveryRequest{TypeUrl: resourcev3.ClusterType, ResponseNonce: "1"},
			want:    request{resource: typeCluster, nonce: "1"},
		},
		{
			name:    "delta, ACK that asks for more",
			message: &discoveryv3.DeltaDiscoveryRequest{TypeUrl: resourcev3.ClusterType, ResponseNonce: "1", ResourceNamesSubscribe: []string{"web"}},
			want:    request{resource: typeCluster, nonce: "1", asks: true},
		},
		{
			name:    "delta, NACK without words",
			message: &discoveryv3.DeltaDiscoveryRequest{TypeUrl: resourcev3.ClusterType, ResponseNonce: "1", ErrorDetail: &rpcstatus.Status{}},
			want:    request{resource: typeCluster, nonce: "1", rejected: true},
		},
		{name: "another protocol", message: &accesslogv3.StreamAccessLogsMessage{}, no: true},
		{name: "a response", message: &discoveryv3.DiscoveryResponse{}, no: true},
		{name: "no message", no: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, ok := readRequest(tc.message, sotwADS)
			if ok == tc.no {
				t.Errorf("readRequest says %t, want %t", ok, !tc.no)
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(request{})); diff != "" {
				t.Errorf("readRequest (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadResponse(t *testing.T) {
	for _, tc := range []struct {
		name    string
		message any
		want    response
		no      bool
	}{
		{
			name:    "SotW",
			message: &discoveryv3.DiscoveryResponse{TypeUrl: resourcev3.ClusterType, Nonce: "1"},
			want:    response{resource: typeCluster, nonce: "1"},
		},
		{
			name:    "delta",
			message: &discoveryv3.DeltaDiscoveryResponse{TypeUrl: resourcev3.ClusterType, Nonce: "1"},
			want:    response{resource: typeCluster, nonce: "1", delta: true},
		},
		{name: "another protocol", message: &loadstatsv3.LoadStatsResponse{}, no: true},
		{name: "a request", message: &discoveryv3.DiscoveryRequest{}, no: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, ok := readResponse(tc.message, sotwADS)
			if ok == tc.no {
				t.Errorf("readResponse says %t, want %t", ok, !tc.no)
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(response{})); diff != "" {
				t.Errorf("readResponse (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNodeOf(t *testing.T) {
	for _, tc := range []struct {
		name    string
		message any
		want    Node
		present bool
	}{
		{name: "SotW", message: sotwFrom(Node{ID: "a", Cluster: "edge"}), want: Node{ID: "a", Cluster: "edge"}, present: true},
		{name: "delta", message: deltaFrom(Node{ID: "a", Cluster: "edge"}), want: Node{ID: "a", Cluster: "edge"}, present: true},
		{
			name:    "another protocol that has a node",
			message: &loadstatsv3.LoadStatsRequest{Node: &corev3.Node{Id: "a", Cluster: "edge"}},
			want:    Node{ID: "a", Cluster: "edge"}, present: true,
		},
		{name: "an empty node", message: sotwFrom(Node{}), present: true},
		{name: "no node", message: &discoveryv3.DiscoveryRequest{}},
		{name: "a type without that field", message: &discoveryv3.DiscoveryResponse{}},
		{name: "no message of protobuf", message: "a"},
		{name: "nothing"},
		{name: "a field of that name that is a list", message: oddNode(t, descriptorpb.FieldDescriptorProto_LABEL_REPEATED, ".test.Message")},
		{name: "a field of that name that is a string", message: oddNode(t, descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL, "")},
		{name: "a node without strings for its names", message: oddNode(t, descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL, ".test.Message"), present: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, present := nodeOf(tc.message)
			if got != tc.want || present != tc.present {
				t.Errorf("nodeOf = %v, %t; want %v, %t", got, present, tc.want, tc.present)
			}
		})
	}
}

// oddNode returns a message of a type of its own with a field "node", a string
// or of the given message type, in which something is set. Its id is a number.
func oddNode(t *testing.T, label descriptorpb.FieldDescriptorProto_Label, typeName string) proto.Message {
	t.Helper()
	node := &descriptorpb.FieldDescriptorProto{
		Name: proto.String("node"), Number: proto.Int32(1), Label: label.Enum(),
		Type: descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum(),
	}
	if typeName != "" {
		node.TypeName, node.Type = &typeName, descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum()
	}
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("test.proto"), Package: proto.String("test"), Syntax: proto.String("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{{
			Name: proto.String("Message"),
			Field: []*descriptorpb.FieldDescriptorProto{node, {
				Name: proto.String("id"), Number: proto.Int32(2),
				Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
				Type:  descriptorpb.FieldDescriptorProto_TYPE_INT64.Enum(),
			}},
		}},
	}, new(protoregistry.Files))
	if err != nil {
		t.Fatal(err)
	}
	message := dynamicpb.NewMessage(file.Messages().ByName("Message"))
	// Field 1 with two bytes, which are a string and, as a message, field 2 set to 65.
	if err := proto.Unmarshal([]byte{0x0a, 2, 0x10, 65}, message); err != nil {
		t.Fatal(err)
	}
	return message
}

// FuzzMessages reads whatever a client or a server may send.
func FuzzMessages(f *testing.F) {
	for _, m := range []proto.Message{
		sotwFrom(Node{ID: "a", Cluster: "edge"}),
		&discoveryv3.DiscoveryRequest{TypeUrl: resourcev3.ClusterType, ResponseNonce: "1", ErrorDetail: &rpcstatus.Status{Message: "no"}},
		&discoveryv3.DeltaDiscoveryRequest{TypeUrl: resourcev3.SecretType, ResourceNamesSubscribe: []string{"web"}},
		&discoveryv3.DiscoveryResponse{TypeUrl: resourcev3.RouteType, Nonce: "1"},
	} {
		encoded, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(encoded, sotwClusters)
	}
	f.Fuzz(func(t *testing.T, encoded []byte, method string) {
		for _, m := range []interface {
			proto.Message
			GetTypeUrl() string
		}{
			&discoveryv3.DiscoveryRequest{}, &discoveryv3.DeltaDiscoveryRequest{},
			&discoveryv3.DiscoveryResponse{}, &discoveryv3.DeltaDiscoveryResponse{},
		} {
			if proto.Unmarshal(encoded, m) != nil {
				continue
			}
			q, isRequest := readRequest(m, method)
			r, isResponse := readResponse(m, method)
			if isRequest == isResponse {
				t.Fatalf("%T is a request: %t, a response: %t", m, isRequest, isResponse)
			}
			got, want := q.resource, typeOf(m.GetTypeUrl(), method)
			if isResponse {
				got = r.resource
			}
			if got != want {
				t.Errorf("%T has the type %v, want %v", m, got, want)
			}
			withNode, ok := m.(interface{ GetNode() *corev3.Node })
			node, present := nodeOf(m)
			if present != (ok && withNode.GetNode() != nil) {
				t.Fatalf("%T has a node: %t", m, present)
			}
			if present && node != (Node{ID: withNode.GetNode().GetId(), Cluster: withNode.GetNode().GetCluster()}) {
				t.Errorf("nodeOf(%v) = %v", m, node)
			}
		}
	})
}
