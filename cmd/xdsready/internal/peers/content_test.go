package peers

import (
	"testing"

	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/xdsready/xdsready/pkg/cache"
)

// One look at a path tells the version, and the parts only to who has another.
func TestDescribe(t *testing.T) {
	r := newReplica()
	r.groups["edge"] = snapshot(t, 1, "a", "b")
	for name, test := range map[string]struct {
		path  []string
		parts []string
	}{
		"everything":            {nil, []string{"edge"}},
		"a group":               {[]string{"edge"}, []string{resourcev3.ClusterType}},
		"a type":                {[]string{"edge", resourcev3.ClusterType}, []string{"a", "b"}},
		"a type without any":    {[]string{"edge", resourcev3.ListenerType}, nil},
		"a group that is not":   {[]string{"inner"}, nil},
		"a type of what is not": {[]string{"inner", resourcev3.ClusterType}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			content := describe(r, test.path, nil)
			var parts []string
			for _, p := range content.GetParts() {
				parts = append(parts, p.GetName())
			}
			if diff := cmp.Diff(test.parts, parts); diff != "" {
				t.Errorf("parts (-want +got):\n%s", diff)
			}
			if again := describe(r, test.path, content.GetVersion()); content.GetVersion() != nil && len(again.GetParts()) > 0 {
				t.Errorf("%d parts for who knows the version", len(again.GetParts()))
			}
		})
	}
	if content := describe(r, []string{"edge", resourcev3.ClusterType, "a"}, nil); content != nil {
		t.Errorf("a path that is too long leads to %v", content)
	}
}

// Groups that change places are a difference, though the same content is there.
func TestNamed(t *testing.T) {
	one, two := snapshot(t, 1, "a"), snapshot(t, 2, "a")
	r, swapped := newReplica(), newReplica()
	r.groups = map[string]*cache.Snapshot{"edge": one, "inner": two}
	swapped.groups = map[string]*cache.Snapshot{"edge": two, "inner": one}
	ours, theirs := describe(r, nil, nil), describe(swapped, nil, nil)
	if cmp.Equal(ours.GetVersion(), theirs.GetVersion()) {
		t.Error("groups that have changed places have one version")
	}
	if parts := differing(ours, theirs); len(parts) != 2 {
		t.Errorf("differing = %v, want both groups", parts)
	}
}
