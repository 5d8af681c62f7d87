package admission

import (
	"context"
	"errors"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

// withMetadata returns a message of the node "a" of "edge" with this metadata;
// nil: without any.
func withMetadata(t *testing.T, values map[string]any) *discoveryv3.DiscoveryRequest {
	t.Helper()
	r := sotwFrom(Node{ID: "a", Cluster: "edge"})
	if values != nil {
		metadata, err := structpb.NewStruct(values)
		if err != nil {
			t.Fatal(err)
		}
		r.Node.Metadata = metadata
	}
	return r
}

func TestMetadataOfANode(t *testing.T) {
	for _, tc := range []struct {
		name   string
		values map[string]any
		want   string
	}{
		{name: "none"},
		{name: "no key", values: map[string]any{}},
		{name: "the key", values: map[string]any{"gateway": "shop/web"}, want: "shop/web"},
		{name: "among others", values: map[string]any{"a": "gateway", "gateway": "shop/web", "z": "gateway", "": ""}, want: "shop/web"},
		{name: "a value with that name", values: map[string]any{"a": "gateway", "b": "shop/web"}},
		{name: "another case", values: map[string]any{"Gateway": "shop/web"}},
		{name: "empty", values: map[string]any{"gateway": ""}},
		{name: "a number", values: map[string]any{"gateway": 1}},
		{name: "a list", values: map[string]any{"gateway": []any{"shop/web"}}},
		{name: "a struct", values: map[string]any{"gateway": map[string]any{"gateway": "shop/web"}}},
		{name: "nothing", values: map[string]any{"gateway": nil}},
		{name: "a value with a NUL", values: map[string]any{"gateway": "shop/web\x00", "a": "b"}},
		{name: "a key made of two", values: map[string]any{"a\x00b\x00gateway": "shop/web"}},
		{name: "a value that goes on", values: map[string]any{"a": "b\x00gateway\x00shop/web"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			node, present := nodeOf(withMetadata(t, tc.values))
			if !present || node.ID != "a" || node.Metadata("gateway") != tc.want {
				t.Errorf("node %v (present: %v) has the metadata %q, want %q", node, present, node.Metadata("gateway"), tc.want)
			}
		})
	}
}

// A value that the message does not hold as a string at all is none.
func TestMetadataWithoutAValue(t *testing.T) {
	node, _ := nodeOf(&discoveryv3.DiscoveryRequest{Node: &corev3.Node{
		Metadata: &structpb.Struct{Fields: map[string]*structpb.Value{"gateway": nil, "a": {}}},
	}})
	if got := node.Metadata("gateway"); got != "" {
		t.Errorf("metadata %q, want none", got)
	}
}

// The metadata is checked with the first message. Later ones may leave it out,
// and may not change it.
func TestAStreamKeepsItsMetadata(t *testing.T) {
	web := map[string]any{"gateway": "shop/web"}
	ofWeb := func(_ context.Context, n Node) error {
		if got := n.Metadata("gateway"); got != "shop/web" {
			return errors.New("this is another Gateway")
		}
		return nil
	}
	for _, tc := range []struct {
		name          string
		first, second map[string]any
		want          codes.Code
	}{
		{name: "the same", first: web, second: web},
		{name: "left out", first: web},
		{name: "no strings in it", first: web, second: map[string]any{"load": 0.5}},
		{name: "another value", first: web, second: map[string]any{"gateway": "bank/web"}, want: codes.PermissionDenied},
		{name: "one more string", first: web, second: map[string]any{"gateway": "shop/web", "a": "b"}, want: codes.PermissionDenied},
		{name: "another at first", first: map[string]any{"gateway": "bank/web"}, second: web, want: codes.PermissionDenied},
		{name: "none at first", second: web, want: codes.PermissionDenied},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, err := New(nil, Options{Authorize: ofWeb, Logger: discard})
			if err != nil {
				t.Fatal(err)
			}
			ss := &fakeServerStream{ctx: t.Context(), inbound: []proto.Message{withMetadata(t, tc.first), withMetadata(t, tc.second)}}
			err = a.interceptStream(nil, ss, &grpc.StreamServerInfo{FullMethod: sotwADS}, func(_ any, s grpc.ServerStream) error {
				for range 2 {
					if err := s.RecvMsg(&discoveryv3.DiscoveryRequest{}); err != nil {
						return err
					}
				}
				return nil
			})
			if status.Code(err) != tc.want {
				t.Errorf("the stream ended with %v, want %v", err, tc.want)
			}
		})
	}
}
