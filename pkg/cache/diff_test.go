package cache

import (
	"testing"

	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/google/go-cmp/cmp"
)

func TestDiff(t *testing.T) {
	first := build(t, Options{}, staticCluster("same"), edsCluster("changed", ""), staticCluster("gone"), assignment("changed"), routeTable("r"))
	second := build(t, Options{}, staticCluster("same"), staticCluster("changed"), staticCluster("new"), staticCluster("also new"), routeTable("r"))
	for _, tt := range []struct {
		name          string
		before, after *Snapshot
		want          []Changes
	}{
		{"nothing and nothing", nil, nil, nil},
		{"a snapshot and itself", first, first, nil},
		{"what is added, changed and removed, by name, without the types that are equal", first, second, []Changes{
			{TypeURL: resourcev3.ClusterType, Added: []string{"also new", "new"}, Changed: []string{"changed"}, Removed: []string{"gone"}},
			{TypeURL: resourcev3.EndpointType, Removed: []string{"changed"}},
		}},
		{"the way back", second, first, []Changes{
			{TypeURL: resourcev3.ClusterType, Added: []string{"gone"}, Changed: []string{"changed"}, Removed: []string{"also new", "new"}},
			{TypeURL: resourcev3.EndpointType, Added: []string{"changed"}},
		}},
		{"from nothing", nil, build(t, Options{}, routeTable("r")), []Changes{{TypeURL: resourcev3.RouteType, Added: []string{"r"}}}},
		{"to nothing", build(t, Options{}, routeTable("r")), nil, []Changes{{TypeURL: resourcev3.RouteType, Removed: []string{"r"}}}},
		{"a placeholder that becomes real", build(t, Options{}, edsCluster("c", "")), build(t, Options{}, edsCluster("c", ""), internalAssignment("c", "l")), []Changes{
			{TypeURL: resourcev3.EndpointType, Changed: []string{"c"}},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, Diff(tt.before, tt.after)); diff != "" {
				t.Errorf("Diff (-want +got):\n%s", diff)
			}
		})
	}
}

func TestChangesString(t *testing.T) {
	for _, tt := range []struct {
		changes Changes
		want    string
	}{
		{Changes{TypeURL: resourcev3.ClusterType}, ""},
		{Changes{TypeURL: resourcev3.ClusterType, Added: []string{"a"}}, "1 cluster added"},
		{Changes{TypeURL: resourcev3.EndpointType, Changed: []string{"a", "b"}}, "2 load assignments changed"},
		{
			Changes{TypeURL: resourcev3.RouteType, Added: []string{"a"}, Changed: []string{"b", "c"}, Removed: []string{"d"}},
			"1 route table added, 2 route tables changed, 1 route table removed",
		},
	} {
		t.Run(tt.want, func(t *testing.T) {
			if got := tt.changes.String(); got != tt.want {
				t.Errorf("String() = %q, want %q", got, tt.want)
			}
		})
	}
}
