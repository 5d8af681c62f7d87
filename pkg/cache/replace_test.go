package cache

import (
	"testing"

	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
)

// drained is a load assignment with other content than assignment's.
func drained(name string) *endpointv3.ClusterLoadAssignment {
	return &endpointv3.ClusterLoadAssignment{
		ClusterName: name,
		Policy:      &endpointv3.ClusterLoadAssignment_Policy{WeightedPriorityHealth: true},
	}
}

func TestReplaceIsABuild(t *testing.T) {
	config := func(assignments ...proto.Message) []proto.Message {
		return append(assignments, edsCluster("a", ""), edsCluster("b", ""), edsCluster("absent", ""), routeTable("r"))
	}
	before := build(t, Options{AfterInputs: true}, config(assignment("a"), assignment("b"))...)
	for name, tt := range map[string]struct {
		replaced []proto.Message
		built    []proto.Message
	}{
		"nothing":            {nil, config(assignment("a"), assignment("b"))},
		"the same":           {[]proto.Message{assignment("a")}, config(assignment("a"), assignment("b"))},
		"one":                {[]proto.Message{drained("a")}, config(drained("a"), assignment("b"))},
		"both, in any order": {[]proto.Message{drained("b"), drained("a")}, config(drained("a"), drained("b"))},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := before.Replace(resources(t, tt.replaced...)...)
			if !ok {
				t.Fatal("it was not replaced")
			}
			want := build(t, Options{Previous: before, AfterInputs: true}, tt.built...)
			if diff := cmp.Diff(said(want), said(got)); diff != "" {
				t.Errorf("what it says (-built +replaced):\n%s", diff)
			}
			if got.ContentVersion() != want.ContentVersion() || got.Version(resourcev3.EndpointType) != want.Version(resourcev3.EndpointType) {
				t.Errorf("versions %v and %v of equal content", got.ContentVersion(), want.ContentVersion())
			}
			if diff := cmp.Diff(Diff(before, want), got.Since(before)); diff != "" {
				t.Errorf("changes (-built +replaced):\n%s", diff)
			}
			if old, _ := before.Resource(resourcev3.EndpointType, "a"); !old.Equal(resource(t, assignment("a"))) {
				t.Error("the snapshot before has changed")
			}
			if now, ok := got.Resource(resourcev3.EndpointType, "b"); !ok || now.Name() != "b" {
				t.Errorf("under b is %v", now)
			}
		})
	}
}

func TestReplaceLeavesTheRestToBuild(t *testing.T) {
	plain := build(t, Options{}, edsCluster("a", ""), assignment("a"), edsCluster("absent", ""))
	good := build(t, Options{}, tlsCluster(t, "c", "tls", ads()), secret("tls", "k"), assignment("a"))
	for name, tt := range map[string]struct {
		snapshot *Snapshot
		with     proto.Message
	}{
		"a new one":                     {plain, assignment("b")},
		"what a placeholder stands for": {plain, assignment("absent")},
		"other references":              {plain, edsCluster("a", "other")},
		"while something is withheld":   {build(t, Options{Previous: good}, tlsCluster(t, "c", "tls", ads()), assignment("a")), drained("a")},
		"nothing there":                 {nil, assignment("a")},
	} {
		if _, ok := tt.snapshot.Replace(resource(t, tt.with)); ok {
			t.Errorf("%s: it was replaced", name)
		}
	}
}

// The generations of a group are bounded by what each takes beside the next.
func TestSizeBeside(t *testing.T) {
	before := build(t, Options{}, edsCluster("a", ""), edsCluster("b", ""), assignment("a"), assignment("b"))
	replaced, _ := before.Replace(resource(t, drained("a")))
	rebuilt := build(t, Options{Previous: before}, edsCluster("a", ""), edsCluster("b", ""), drained("a"), assignment("b"))
	one := recordSize + len(resource(t, assignment("a")).Encoded())
	for name, tt := range map[string]struct {
		next *Snapshot
		want int
	}{
		"itself":                    {before, 0},
		"one replaced":              {replaced, 2*slotSize + one},
		"one changed, built":        {rebuilt, 2*slotSize + one},
		"all gone, tables included": {nil, 4*slotSize + 4*entrySize + 4*recordSize + encodedSize(before)},
	} {
		if got := before.SizeBeside(tt.next); got != tt.want {
			t.Errorf("%s: %d bytes, want %d", name, got, tt.want)
		}
	}
}

func encodedSize(s *Snapshot) (bytes int) {
	for _, typeURL := range s.Types() {
		for _, r := range s.Resources(typeURL) {
			bytes += len(r.Encoded())
		}
	}
	return bytes
}
