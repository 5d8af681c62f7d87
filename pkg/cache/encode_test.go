package cache

import (
	"testing"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
)

// What is appended by hand is what the generated code encodes.
func TestEncodeIsTheFieldOfAResponse(t *testing.T) {
	plain := resource(t, staticCluster("a"))
	mortal := resource(t, staticCluster("b")).WithTTL(90*time.Second + 5)
	wrapped := func(r Resource, content *anypb.Any) *discovery.Resource {
		w := &discovery.Resource{Name: r.Name(), Version: r.Version().String(), Resource: content}
		if r.TTL() > 0 {
			w.Ttl = durationpb.New(r.TTL())
		}
		return w
	}
	packed := func(w *discovery.Resource) *anypb.Any {
		a, err := anypb.New(w)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	t.Run("SotW", func(t *testing.T) {
		want := &discovery.DiscoveryResponse{Resources: []*anypb.Any{plain.Any(), packed(wrapped(mortal, mortal.Any())), packed(wrapped(mortal, nil))}}
		got := &discovery.DiscoveryResponse{}
		decode(t, mortal.AppendHeartbeatTo(Encode([]Resource{plain, mortal}, SotW), SotW), got)
		// The two encoders order fields differently within the wrapper.
		for i, a := range got.GetResources()[1:] {
			w := &discovery.Resource{}
			if err := a.UnmarshalTo(w); err != nil {
				t.Fatal(err)
			}
			got.Resources[i+1] = packed(w)
		}
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("delta", func(t *testing.T) {
		want := &discovery.DeltaDiscoveryResponse{Resources: []*discovery.Resource{
			wrapped(plain, plain.Any()), wrapped(mortal, mortal.Any()), wrapped(mortal, nil),
		}}
		got := &discovery.DeltaDiscoveryResponse{}
		decode(t, mortal.AppendHeartbeatTo(Encode([]Resource{plain, mortal}, Delta), Delta), got)
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func decode(t *testing.T, encoded []byte, into proto.Message) {
	t.Helper()
	if err := proto.Unmarshal(encoded, into); err != nil {
		t.Fatal(err)
	}
}

// Resources that are equal are one in memory, whoever makes them, so that the
// generations and groups of a fleet share what they have in common.
func TestEqualResourcesShareMemory(t *testing.T) {
	first, second := resource(t, staticCluster("shared")), resource(t, staticCluster("shared"))
	if first.record != second.record {
		t.Error("two resources of equal content take memory twice")
	}
	if other := resource(t, staticCluster("other")); other.record == first.record {
		t.Error("resources of different content are one")
	}
	if mortal := first.WithTTL(time.Second); mortal.record == first.record || mortal.record != second.WithTTL(time.Second).record {
		t.Error("a TTL makes another resource, and equal ones are one")
	}
}

// What is remembered of a difference is the difference.
func TestSinceIsDiff(t *testing.T) {
	before := build(t, Options{}, staticCluster("a"), staticCluster("b"))
	after := build(t, Options{}, staticCluster("b"), staticCluster("c"))
	for range 2 {
		if diff := cmp.Diff(Diff(before, after), after.Since(before)); diff != "" {
			t.Errorf("(-Diff +Since):\n%s", diff)
		}
	}
	if diff := cmp.Diff(Diff(nil, after), after.Since(nil)); diff != "" {
		t.Errorf("from nothing (-Diff +Since):\n%s", diff)
	}
}

// A zero Resource says nothing and breaks nothing.
func TestZeroResource(t *testing.T) {
	var r Resource
	if r.TypeURL() != "" || r.Name() != "" || r.Version() != (Version{}) || r.WithTTL(time.Second) != r ||
		r.Any() != nil || r.Message() != nil || r.Refers("", "") || len(r.HTTPFilters())+len(r.FilterOverrides()) > 0 {
		t.Error("a zero Resource has content")
	}
}
