package cache

import (
	"fmt"
	"maps"
	"slices"

	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
)

// ToGoControlPlane returns the same content as a go-control-plane Snapshot, for
// its SnapshotCache. Each type's version is [Snapshot.Version], and the map of
// resource versions, which go-control-plane uses for delta, is filled with ours,
// so that it does not hash everything again. The messages are shared and must
// not be changed. If a resource has a TTL, the SnapshotCache must be one that
// sends heartbeats.
//
// A type without resources has the version of nothing and not "", which
// go-control-plane would take for "this proxy is up to date": it would leave
// the proxy without an answer, where "there are none" is one.
func (s *Snapshot) ToGoControlPlane() *cachev3.Snapshot {
	out := &cachev3.Snapshot{VersionMap: make(map[string]map[string]string)}
	for _, typeURL := range AllTypes() {
		resources := s.Resources(typeURL)
		items := make(map[string]types.ResourceWithTTL, len(resources))
		versions := make(map[string]string, len(resources))
		for _, r := range resources {
			item := types.ResourceWithTTL{Resource: r.Message()}
			if ttl := r.ttl; ttl > 0 {
				item.TTL = &ttl
			}
			items[r.name], versions[r.name] = item, r.version.String()
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
// placeholders and content versions. TTLs are kept. Versions are not: ours come
// from the content.
//
// The errors are those of [Build], and those of [NewResource] for the first
// resource that has one. A RateLimitConfig, which go-control-plane carries and
// no Envoy asks for, always has.
func FromGoControlPlane(in cachev3.ResourceSnapshot, o Options) (*Snapshot, error) {
	var resources []Resource
	for responseType := range types.UnknownType {
		typeURL, err := cachev3.GetResponseTypeURL(responseType)
		if err != nil {
			return nil, err
		}
		items := in.GetResourcesAndTTL(typeURL)
		for _, name := range slices.Sorted(maps.Keys(items)) {
			r, err := NewResource(items[name].Resource)
			if err != nil {
				return nil, fmt.Errorf("resource %q of %s: %w", name, typeURL, err)
			}
			if ttl := items[name].TTL; ttl != nil {
				r = r.WithTTL(*ttl)
			}
			resources = append(resources, r)
		}
	}
	return Build(resources, o)
}
