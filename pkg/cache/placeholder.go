package cache

import (
	"slices"

	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/protobuf/proto"
)

// newPlaceholder returns the empty message that stands for an absent resource,
// nil for a type that has no useful one.
//
// An absent load assignment or route table is worse than an empty one. With no
// answer an Envoy holds the cluster or listener back for 15 s; when told that a
// route table is removed, its listener waits for ever; when told that a load
// assignment in use is removed, it goes on with the old endpoints. An empty one
// takes effect at once: 503 from the cluster, 404 from the listener. An empty
// cluster or secret would be rejected.
func newPlaceholder(typeURL, name string) proto.Message {
	switch typeURL {
	case resourcev3.EndpointType:
		return &endpointv3.ClusterLoadAssignment{ClusterName: name}
	case resourcev3.RouteType:
		return &routev3.RouteConfiguration{Name: name}
	}
	return nil
}

// placeable reports whether newPlaceholder has something for the type.
func placeable(typeURL string) bool { return newPlaceholder(typeURL, "") != nil }

// place adds a placeholder for each absent resource that can have one, and
// returns them by type and name.
func (b *builder) place(dangling []Reference) (placed []Resource, err error) {
	for _, ref := range dangling {
		k := key{ref.Type, ref.Name}
		if _, ok := b.byKey[k]; ok || !placeable(ref.Type) {
			continue
		}
		r, err := newResource(newPlaceholder(ref.Type, ref.Name))
		if err != nil {
			return nil, err
		}
		b.put(r)
		placed = append(placed, r)
	}
	slices.SortFunc(placed, func(x, y Resource) int { return compareKeys(x.key(), y.key()) })
	return placed, nil
}
