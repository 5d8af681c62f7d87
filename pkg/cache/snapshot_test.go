package cache

import (
	"testing"

	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/google/go-cmp/cmp"
)

func TestNilSnapshotIsEmpty(t *testing.T) {
	var s *Snapshot
	if diff := cmp.Diff(says{}, said(s)); diff != "" {
		t.Errorf("a nil snapshot (-want +got):\n%s", diff)
	}
	if _, ok := s.Resource(resourcev3.ClusterType, "c"); ok {
		t.Error("a nil snapshot has a resource")
	}
	for name, v := range map[string]Version{
		"Version":        s.Version(resourcev3.ClusterType),
		"VersionOf":      s.VersionOf(resourcev3.ClusterType, []string{"c"}),
		"ContentVersion": s.ContentVersion(),
	} {
		if v != (Version{}) {
			t.Errorf("%s of a nil snapshot = %v, want zero", name, v)
		}
	}
}

func TestSnapshotResource(t *testing.T) {
	s := build(t, Options{}, staticCluster("b"), staticCluster("a"), assignment("a"))
	for _, tt := range []struct {
		name, typeURL, resource string
		want                    bool
	}{
		{"the first", resourcev3.ClusterType, "a", true},
		{"the last", resourcev3.ClusterType, "b", true},
		{"after the last", resourcev3.ClusterType, "c", false},
		{"a name that only another type has", resourcev3.EndpointType, "b", false},
		{"a type that is not there", resourcev3.SecretType, "a", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, ok := s.Resource(tt.typeURL, tt.resource)
			if ok != tt.want || ok && (r.Name() != tt.resource || r.TypeURL() != tt.typeURL) {
				t.Errorf("Resource(%s, %s) = %v, %t, want %t", Kind(tt.typeURL), tt.resource, r, ok, tt.want)
			}
		})
	}
}

func TestSnapshotVersions(t *testing.T) {
	clusters := resources(t, staticCluster("a"), staticCluster("b"))
	all := append(resources(t, assignment("a")), clusters...)
	s, err := Build(all, Options{})
	if err != nil {
		t.Fatal(err)
	}
	a, b := clusters[0].Version(), clusters[1].Version()
	for _, tt := range []struct {
		name      string
		got, want Version
	}{
		{"a type", s.Version(resourcev3.ClusterType), ContentVersion(clusters)},
		{"a type without resources", s.Version(resourcev3.SecretType), Version{}},
		{"everything", s.ContentVersion(), ContentVersion(all)},
		{"no names", s.VersionOf(resourcev3.ClusterType, nil), Version{}},
		{"one name", s.VersionOf(resourcev3.ClusterType, []string{"a"}), a},
		{"all names", s.VersionOf(resourcev3.ClusterType, []string{"b", "a"}), s.Version(resourcev3.ClusterType)},
		{"a name that is asked for twice", s.VersionOf(resourcev3.ClusterType, []string{"b", "a", "b"}), a.Add(b)},
		{"a name that is absent", s.VersionOf(resourcev3.ClusterType, []string{"a", "gone"}), a},
		{"a name of another type", s.VersionOf(resourcev3.EndpointType, []string{"b"}), Version{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.got != tt.want {
				t.Errorf("version = %v, want %v", tt.got, tt.want)
			}
		})
	}
}

func TestVersionOfLeavesTheNamesAlone(t *testing.T) {
	names := []string{"b", "a", "b"}
	build(t, Options{}, staticCluster("a")).VersionOf(resourcev3.ClusterType, names)
	if diff := cmp.Diff([]string{"b", "a", "b"}, names); diff != "" {
		t.Errorf("VersionOf changed its argument (-want +got):\n%s", diff)
	}
}

// TestPlaceholderHasTheVersionOfTheRealThing: a proxy that has the placeholder
// and learns that the resource exists, and is empty, is sent nothing.
func TestPlaceholderHasTheVersionOfTheRealThing(t *testing.T) {
	placed := build(t, Options{}, edsCluster("c", ""))
	given := build(t, Options{}, edsCluster("c", ""), assignment("c"))
	if placed.ContentVersion() != given.ContentVersion() {
		t.Errorf("version with the placeholder = %v, with the resource %v, want the same", placed.ContentVersion(), given.ContentVersion())
	}
}

func TestAfterInputs(t *testing.T) {
	for _, tt := range []struct {
		name     string
		snapshot *Snapshot
		want     bool
	}{
		{"no snapshot", nil, false},
		{"a snapshot, unless told", build(t, Options{}), false},
		{"a snapshot that was computed after its inputs, even an empty one", build(t, Options{AfterInputs: true}), true},
		{
			"a snapshot upon one that was",
			build(t, Options{Previous: build(t, Options{AfterInputs: true})}), false,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.snapshot.AfterInputs(); got != tt.want {
				t.Errorf("AfterInputs() = %t, want %t", got, tt.want)
			}
		})
	}
}
