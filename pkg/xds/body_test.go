package xds

import (
	"fmt"
	"slices"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/xdsready/xdsready/pkg/cache"
	"github.com/xdsready/xdsready/pkg/xds/publish"
)

// A part of a type is sent in runs of the body that all proxies share, as far as
// it is what the snapshot has.
func TestPiecesAreRunsOfTheSharedBody(t *testing.T) {
	cluster := func(i int, note string) cache.Resource {
		r, err := cache.NewResource(&clusterv3.Cluster{Name: fmt.Sprint("cluster-", i), AltStatName: note})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	var all []cache.Resource
	for i := range 10 {
		all = append(all, cluster(i, ""))
	}
	snapshot, err := cache.Build(all, cache.Options{AfterInputs: true})
	if err != nil {
		t.Fatal(err)
	}
	g := &group{}
	g.refreshLocked(snapshot, time.Now())
	e := g.current.Load()
	shared, other := e.body(resourcev3.ClusterType, cache.SotW).bytes, cluster(4, "kept")
	for _, row := range []struct {
		name      string
		whole     bool
		resources []cache.Resource
		pieces    int
	}{
		{"whole", true, nil, 1},
		{"whole and one more", true, []cache.Resource{other}, 2},
		{"neighbours", false, all[2:6], 1},
		{"two runs", false, slices.Concat(all[:3], all[7:]), 2},
		{"one is not what the snapshot has", false, slices.Concat(all[:4], []cache.Resource{other}, all[5:]), 3},
		{"few", false, all[3:4], 1},
		{"none", false, nil, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			pieces := e.pieces(publish.Response{TypeURL: resourcev3.ClusterType, Whole: row.whole, Resources: row.resources}, cache.SotW)
			want := cache.Encode(row.resources, cache.SotW)
			if row.whole {
				want = slices.Concat(shared, want)
			}
			if diff := cmp.Diff(string(want), string(join(pieces))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if len(pieces) != row.pieces {
				t.Errorf("%d pieces, want %d", len(pieces), row.pieces)
			}
		})
	}
}
