package gocontrolplane

import (
	"fmt"
	"reflect"
	"slices"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/protobuf/proto"

	"github.com/xdsready/xdsready/pkg/cache"
)

// resourceReader is what a LinearCache can be asked: all that it holds, which is
// the same for every node.
type resourceReader interface {
	GetResources() map[string]types.Resource
}

// checkReadable returns an error for a cache that answers requests but cannot
// be asked for all that it has.
func checkReadable(c cachev3.Cache) error {
	switch c := c.(type) {
	case *cachev3.MuxCache:
		for key, part := range c.Caches {
			if err := checkReadable(part); err != nil {
				return fmt.Errorf("part %q of the MuxCache: %w", key, err)
			}
		}
		return nil
	case cachev3.SnapshotCache, resourceReader:
		if !reflect.TypeOf(c).Comparable() {
			return fmt.Errorf("a cache of type %T can not be compared: give a pointer to it", c)
		}
		return nil
	}
	return fmt.Errorf("a cache of type %T can not be read: it is no SnapshotCache and has no GetResources", c)
}

// route is a cache that is no MuxCache, and the types that it is asked for.
type route struct {
	cache cachev3.Cache
	types []string
}

// routesOf returns which cache has what for a node. A SnapshotCache is in one
// route, with all types that come from it, so that it is read at one moment; a
// LinearCache has a route for each type that it is asked for, because it refuses
// all but one.
func routesOf(c cachev3.Cache, node *corev3.Node) (routes []route) {
	for _, typeURL := range cache.AllTypes() {
		part := partFor(c, node, typeURL)
		if part == nil {
			continue
		}
		_, whole := part.(cachev3.SnapshotCache)
		i := slices.IndexFunc(routes, func(r route) bool { return whole && r.cache == part })
		if i < 0 {
			routes = append(routes, route{part, []string{typeURL}})
		} else {
			routes[i].types = append(routes[i].types, typeURL)
		}
	}
	return routes
}

// partFor follows MuxCaches to the cache that answers for a type, and returns
// nil if none does. A program that serves only SotW, or only delta, may have set
// only one of the two functions.
func partFor(c cachev3.Cache, node *corev3.Node, typeURL string) cachev3.Cache {
	mux, ok := c.(*cachev3.MuxCache)
	if !ok {
		return c
	}
	var key string
	if mux.Classify != nil {
		key = mux.Classify(&cachev3.Request{Node: node, TypeUrl: typeURL})
	} else {
		key = mux.ClassifyDelta(&cachev3.DeltaRequest{Node: node, TypeUrl: typeURL})
	}
	if part, ok := mux.Caches[key]; ok {
		return partFor(part, node, typeURL)
	}
	return nil
}

// read returns what the routes hold for a group. The error is that of a
// SnapshotCache that has no snapshot of the group.
func read(routes []route, group string) (cachev3.ResourceSnapshot, error) {
	all := &cachev3.Snapshot{}
	for _, r := range routes {
		items := func(typeURL string) map[string]types.ResourceWithTTL { return linearItems(r.cache, typeURL) }
		if snapshots, ok := r.cache.(cachev3.SnapshotCache); ok {
			snapshot, err := snapshots.GetSnapshot(group)
			if err != nil {
				return nil, err
			}
			items = snapshot.GetResourcesAndTTL
		}
		for _, typeURL := range r.types {
			all.Resources[cachev3.GetResponseType(typeURL)] = cachev3.Resources{Items: items(typeURL)}
		}
	}
	return all, nil
}

// linearItems returns the resources of one type that a LinearCache holds. It
// holds one type only and does not tell which: if it is the program's only
// cache, it is asked for every type.
func linearItems(c cachev3.Cache, typeURL string) map[string]types.ResourceWithTTL {
	items := map[string]types.ResourceWithTTL{}
	linear, ok := c.(resourceReader)
	if !ok {
		return items // it came into the MuxCache after NewServer had looked
	}
	for name, r := range linear.GetResources() {
		if resourcev3.APITypePrefix+string(proto.MessageName(r)) == typeURL {
			items[name] = types.ResourceWithTTL{Resource: r}
		}
	}
	return items
}
