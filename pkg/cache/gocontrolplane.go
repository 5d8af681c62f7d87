package cache

import (
	"fmt"

	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
)

// ToGoControlPlane returns the same content as a go-control-plane Snapshot, for
// its SnapshotCache. Each type's version is [Snapshot.Version], and the map of
// resource versions, which go-control-plane uses for delta, is filled with ours,
// so that it does not hash everything again. The messages are shared and must
// not be changed.
//
// A type without resources has the version of nothing and not "", which
// go-control-plane would take for "this proxy is up to date": it would leave
// the proxy without an answer, where "there are none" is one.
func (s *Snapshot) ToGoControlPlane() *cachev3.Snapshot {
	out := &cachev3.Snapshot{VersionMap: make(map[string]map[string]string)}
	for typeURL := range kinds {
		resources := s.Resources(typeURL)
		items := make(map[string]types.ResourceWithTTL, len(resources))
		versions := make(map[string]string, len(resources))
		for _, r := range resources {
			items[r.name] = types.ResourceWithTTL{Resource: r.Message()}
			versions[r.name] = r.version.String()
		}
		out.Resources[cachev3.GetResponseType(typeURL)] = cachev3.Resources{
			Version: s.Version(typeURL).String(),
			Items:   items,
		}
		out.VersionMap[typeURL] = versions
	}
	return out
}

// FromGoControlPlane builds a Snapshot of the resources of a go-control-plane
// one, for a program that computes such snapshots and wants their closure,
// placeholders and content versions. The versions it carries are not taken.
//
// Besides the errors of [NewResource] and [Build] it returns one for what a
// Snapshot cannot hold: a resource with a TTL, and go-control-plane's
// RateLimitConfig, which no Envoy asks for.
func FromGoControlPlane(in cachev3.ResourceSnapshot, o Options) (*Snapshot, error) {
	var resources []Resource
	for responseType := range types.UnknownType {
		typeURL, err := cachev3.GetResponseTypeURL(responseType)
		if err != nil {
			return nil, err
		}
		for name, item := range in.GetResourcesAndTTL(typeURL) {
			if item.TTL != nil {
				return nil, fmt.Errorf("%s %q has a TTL of %v, which a Snapshot cannot hold", Kind(typeURL), name, *item.TTL)
			}
			r, err := NewResource(item.Resource)
			if err != nil {
				return nil, err
			}
			resources = append(resources, r)
		}
	}
	return Build(resources, o)
}
