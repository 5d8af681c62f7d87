package xds

import (
	"slices"
	"testing"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/encoding"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/xdsready/xdsready/pkg/cache"
)

func newCodec() codec { return codec{encoding.GetCodecV2("proto"), newNameTable()} }

// A peer cannot tell our codec from grpc's: not by what the server sends, nor by
// what others send that share the grpc server.
func TestCodecMarshalsAsGRPC(t *testing.T) {
	pieces := [][]byte{encodedCluster(t, 1), encodedCluster(t, 2)}
	resources := []*anypb.Any{{TypeUrl: "type", Value: []byte("x")}}
	for name, test := range map[string]struct{ sent, want proto.Message }{
		"SotW in pieces": {
			sotwInPieces{&discovery.DiscoveryResponse{VersionInfo: "v", TypeUrl: "type", Nonce: "n"}, pieces},
			withUnknown(&discovery.DiscoveryResponse{VersionInfo: "v", TypeUrl: "type", Nonce: "n"}, slices.Concat(pieces...)),
		},
		"delta in pieces": {
			deltaInPieces{&discovery.DeltaDiscoveryResponse{Nonce: "n", RemovedResources: []string{"a", "b"}}, nil},
			&discovery.DeltaDiscoveryResponse{Nonce: "n", RemovedResources: []string{"a", "b"}},
		},
		"SotW of somebody":   {sent: &discovery.DiscoveryResponse{TypeUrl: "type", Nonce: "n", Resources: resources}},
		"delta of somebody":  {sent: &discovery.DeltaDiscoveryResponse{Nonce: "n", Resources: []*discovery.Resource{{Name: "a"}}}},
		"of another service": {sent: &healthv1.HealthCheckResponse{Status: healthv1.HealthCheckResponse_SERVING}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := newCodec().Marshal(test.sent)
			if err != nil {
				t.Fatal(err)
			}
			want := test.want
			if want == nil {
				want = test.sent
			}
			plain, err := encoding.GetCodecV2("proto").Marshal(want)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(parsed(t, want, plain), parsed(t, want, got), protocmp.Transform()); diff != "" {
				t.Errorf("(-grpc's +ours):\n%s", diff)
			}
		})
	}
}

// encodedCluster is one resource of a SotW response, encoded.
func encodedCluster(t *testing.T, version int) []byte {
	t.Helper()
	return cache.Encode(snapshot(t, version, 100).Resources(resourcev3.ClusterType), cache.SotW)
}

func withUnknown(m proto.Message, fields []byte) proto.Message {
	m.ProtoReflect().SetUnknown(fields)
	return m
}

// parsed decodes a message of the kind of like.
func parsed(t *testing.T, like proto.Message, wire mem.BufferSlice) proto.Message {
	t.Helper()
	m := like.ProtoReflect().New().Interface()
	if err := proto.Unmarshal(wire.Materialize(), m); err != nil {
		t.Fatal(err)
	}
	return m
}

// Resources that are encoded already go to the connection as they are.
func TestCodecDoesNotCopyResources(t *testing.T) {
	piece := encodedCluster(t, 1)
	got, err := newCodec().Marshal(sotwInPieces{&discovery.DiscoveryResponse{Nonce: "n"}, [][]byte{piece}})
	if err != nil {
		t.Fatal(err)
	}
	if last := got[len(got)-1].ReadOnlyData(); &last[0] != &piece[0] {
		t.Error("the resources were copied")
	}
}

func TestCodecUnmarshalsAsGRPC(t *testing.T) {
	many := manyNames()
	star := slices.Concat([]string{"*"}, many)
	for name, m := range map[string]proto.Message{
		"SotW":                 &discovery.DiscoveryRequest{VersionInfo: "v", TypeUrl: "type", ResponseNonce: "n", ResourceNames: many},
		"SotW, few names":      &discovery.DiscoveryRequest{VersionInfo: "v", TypeUrl: "type", ResourceNames: many[:2]},
		"SotW with a star":     &discovery.DiscoveryRequest{TypeUrl: "type", ResourceNames: star},
		"SotW, a long version": &discovery.DiscoveryRequest{VersionInfo: string(make([]byte, minShared))},
		"delta":                &discovery.DeltaDiscoveryRequest{TypeUrl: "type", ResourceNamesSubscribe: many, ResourceNamesUnsubscribe: []string{"b", "a"}},
		"delta with a star":    &discovery.DeltaDiscoveryRequest{ResourceNamesSubscribe: star, InitialResourceVersions: map[string]string{"a": "1"}},
		"delta, gives up":      &discovery.DeltaDiscoveryRequest{ResourceNamesUnsubscribe: many},
		"of another service":   &healthv1.HealthCheckRequest{Service: string(make([]byte, minShared))},
	} {
		t.Run(name, func(t *testing.T) {
			wire, err := proto.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			c := newCodec()
			for range 2 { // the second time the names are known
				got := m.ProtoReflect().New().Interface()
				split := mem.BufferSlice{mem.SliceBuffer(wire[:len(wire)/2]), mem.SliceBuffer(wire[len(wire)/2:])}
				if err := c.Unmarshal(split, got); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(m, got, protocmp.Transform()); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
		})
	}
}

// What the stream does with a request changes nothing in the list that all share.
func TestSharedListsAreNotChanged(t *testing.T) {
	asked := append(manyNames(), "*")
	slices.Sort(asked)
	wire, err := proto.Marshal(&discovery.DiscoveryRequest{TypeUrl: "type", ResourceNames: asked})
	if err != nil {
		t.Fatal(err)
	}
	c := newCodec()
	s := &stream{server: &Server{names: c.names}}
	var held []request // so that the list stays known
	for range 3 {
		m := &discovery.DiscoveryRequest{}
		if err := c.Unmarshal(mem.BufferSlice{mem.SliceBuffer(wire)}, m); err != nil {
			t.Fatal(err)
		}
		r := s.read(m)
		held = append(held, r)
		if diff := cmp.Diff(manyNames(), r.Names.All()); diff != "" || !r.Wildcard {
			t.Errorf("wildcard %v, names (-want +got):\n%s", r.Wildcard, diff)
		}
		if diff := cmp.Diff(asked, m.GetResourceNames()); diff != "" {
			t.Errorf("the list was changed (-before +after):\n%s", diff)
		}
	}
	if len(held) != 3 {
		t.Fatal("not all were read")
	}
}

func TestCodecRefusesWhatGRPCRefuses(t *testing.T) {
	long := make([]byte, 2*minShared)
	bad := append(encoded(manyNames()...), encoded("\xc3\x28")...)
	for name, wire := range map[string][]byte{"zeros": long, "invalid UTF-8": bad, "cut off": encoded(manyNames()...)[:8001]} {
		t.Run(name, func(t *testing.T) {
			buffers := mem.BufferSlice{mem.SliceBuffer(wire)}
			ours := newCodec().Unmarshal(buffers, &discovery.DiscoveryRequest{})
			grpcs := encoding.GetCodecV2("proto").Unmarshal(buffers, &discovery.DiscoveryRequest{})
			if ours == nil || grpcs == nil {
				t.Errorf("ours says %v, grpc's %v", ours, grpcs)
			}
		})
	}
}

// Who looks at a response on the way, as package admission does, sees its head and
// which variant it is.
func TestResponsesInPiecesShowTheirHead(t *testing.T) {
	for name, test := range map[string]struct {
		m     any
		delta bool
	}{
		"SotW":  {sotwInPieces{&discovery.DiscoveryResponse{TypeUrl: "type", Nonce: "n"}, nil}, false},
		"delta": {deltaInPieces{&discovery.DeltaDiscoveryResponse{TypeUrl: "type", Nonce: "n"}, nil}, true},
	} {
		t.Run(name, func(t *testing.T) {
			head, ok := test.m.(interface {
				GetTypeUrl() string
				GetNonce() string
			})
			if !ok || head.GetTypeUrl() != "type" || head.GetNonce() != "n" {
				t.Errorf("%T does not show type and nonce", test.m)
			}
			if _, delta := test.m.(interface{ GetSystemVersionInfo() string }); delta != test.delta {
				t.Errorf("%T looks like delta: %v, want %v", test.m, delta, test.delta)
			}
		})
	}
}
