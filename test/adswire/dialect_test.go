package adswire_test

import (
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/xdsready/xdsready/test/adswire"
)

// The requests are written byte by byte; this is what a server decodes.
func TestRequestsDecodeAsXDS(t *testing.T) {
	decodedNode := &corev3.Node{Id: "proxy-000007", Cluster: "blue"}
	node, err := proto.Marshal(decodedNode)
	if err != nil {
		t.Fatal(err)
	}
	r := adswire.Response{TypeURL: resourcev3.EndpointType, Version: "v2", Nonce: "n"}
	held := adswire.Holdings{Version: "v1", Resources: map[string]string{"a": "1", "b": "2"}}
	for _, test := range []struct {
		name    string
		dialect adswire.Dialect
		first   proto.Message
		ack     proto.Message
	}{
		{
			"sotw", adswire.SotW{},
			&discoveryv3.DiscoveryRequest{
				Node: decodedNode, TypeUrl: resourcev3.EndpointType, VersionInfo: "v1", ResourceNames: []string{"a", "b"},
			},
			&discoveryv3.DiscoveryRequest{
				TypeUrl: resourcev3.EndpointType, VersionInfo: "v2", ResponseNonce: "n", ResourceNames: []string{"a", "b"},
			},
		},
		{
			"delta", adswire.Delta{},
			&discoveryv3.DeltaDiscoveryRequest{
				Node: decodedNode, TypeUrl: resourcev3.EndpointType, ResourceNamesSubscribe: []string{"a", "b"},
				InitialResourceVersions: map[string]string{"a": "1", "b": "2"},
			},
			&discoveryv3.DeltaDiscoveryRequest{TypeUrl: resourcev3.EndpointType, ResponseNonce: "n"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := test.dialect
			names := d.Names([]string{"a", "b"})
			requireDecodes(t, test.first, d.First(node, resourcev3.EndpointType, d.Held(held), names))
			requireDecodes(t, test.ack, d.Ack(r, names))
		})
	}
}

// requireDecodes fails the test unless the bytes decode as the message.
func requireDecodes(t *testing.T, want proto.Message, encoded mem.BufferSlice) {
	t.Helper()
	got := want.ProtoReflect().New().Interface()
	if err := proto.Unmarshal(encoded.Materialize(), got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
}

func TestResponsesAreScanned(t *testing.T) {
	cluster, err := anypb.New(&clusterv3.Cluster{Name: "c"})
	if err != nil {
		t.Fatal(err)
	}
	inDelta := &discoveryv3.Resource{Name: "c", Version: "3", Resource: cluster}
	for _, test := range []struct {
		dialect adswire.Dialect
		message proto.Message
		size    int // of the resource
		version string
		scribe  map[string]string
	}{
		{adswire.SotW{}, &discoveryv3.DiscoveryResponse{
			TypeUrl: resourcev3.ClusterType, Nonce: "n", VersionInfo: "v", Resources: []*anypb.Any{cluster}, Canary: true,
		}, proto.Size(cluster), "v", map[string]string{}},
		{adswire.Delta{}, &discoveryv3.DeltaDiscoveryResponse{
			TypeUrl: resourcev3.ClusterType, Nonce: "n", SystemVersionInfo: "v", Resources: []*discoveryv3.Resource{inDelta},
		}, proto.Size(inDelta), "", map[string]string{"c": "3"}},
	} {
		encoded, err := proto.Marshal(test.message)
		if err != nil {
			t.Fatal(err)
		}
		want := adswire.Response{
			Dialect: test.dialect, Scribe: test.scribe, TypeURL: resourcev3.ClusterType, Version: test.version, Nonce: "n",
			Size: len(encoded), Resources: 1, ResourceBytes: test.size,
		}
		got := adswire.Response{Dialect: test.dialect, Scribe: map[string]string{}}
		if err := got.Scan(encoded); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%T: response (-want +got):\n%s", test.dialect, diff)
		}
		if err := got.Scan(encoded[:len(encoded)-1]); err == nil {
			t.Errorf("%T: a response cut short was taken", test.dialect)
		}
	}
}
