package gocontrolplane

import (
	"path"
	"strings"
	"testing"

	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/xdsready/xdsready/pkg/cache"
)

// TestRoutes looks at which cache is asked for what, in how many streams.
func TestRoutes(t *testing.T) {
	snapshots := cachev3.NewSnapshotCache(true, cachev3.IDHash{}, nil)
	endpoints := cachev3.NewLinearCache(resourcev3.EndpointType)
	var each, rest []string
	for _, typeURL := range cache.AllTypes() {
		each = append(each, "linear:"+path.Ext(typeURL))
		if typeURL != resourcev3.EndpointType {
			rest = append(rest, path.Ext(typeURL))
		}
	}
	mux := func(parts map[string]cachev3.Cache) *cachev3.MuxCache {
		return &cachev3.MuxCache{Caches: parts, Classify: func(r *cachev3.Request) string {
			if r.GetTypeUrl() == resourcev3.EndpointType {
				return "endpoints"
			}
			return "rest"
		}}
	}
	endpointsOnly := "linear:" + path.Ext(resourcev3.EndpointType)
	for _, row := range []struct {
		name  string
		cache cachev3.Cache
		want  []string
	}{
		{"a LinearCache may refuse what it is asked for", endpoints, each},
		{"a MuxCache has nothing for some types", mux(map[string]cachev3.Cache{"endpoints": endpoints}), []string{endpointsOnly}},
		{
			"a SnapshotCache in a MuxCache is asked once",
			mux(map[string]cachev3.Cache{"endpoints": endpoints, "rest": snapshots}),
			[]string{"snapshots:" + strings.Join(rest, ""), endpointsOnly},
		},
		{
			"a MuxCache in a MuxCache",
			mux(map[string]cachev3.Cache{"endpoints": mux(map[string]cachev3.Cache{"endpoints": endpoints})}),
			[]string{endpointsOnly},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			var got []string
			for _, r := range routesOf(row.cache, nil) {
				name := map[cachev3.Cache]string{snapshots: "snapshots:", endpoints: "linear:"}[r.cache]
				for _, typeURL := range r.types {
					name += path.Ext(typeURL)
				}
				got = append(got, name)
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("routes (-want +got):\n%s", diff)
			}
		})
	}
}
