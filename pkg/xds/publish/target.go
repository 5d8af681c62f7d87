package publish

import (
	"maps"
	"slices"
	"sync"
	"time"

	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"

	"github.com/xdsready/xdsready/pkg/cache"
)

// Target is the config that the proxies of a node group are to have, with what
// all of them need to know of it. It never changes. Make one with [NewTarget].
type Target struct {
	snapshot *cache.Snapshot
	past     []*cache.Snapshot

	dangling   map[string][]cache.Reference // absent cluster → what names it all the same
	compound   []cache.Resource             // clusters that are made of other clusters
	listened   func() []string              // clusters that listeners of the past named themselves
	heartbeats map[string][]cache.Resource  // by type URL: those with a TTL
}

// NewTarget returns the target for a snapshot. past holds snapshots that the
// group had before, newest first: by them the versions are understood that
// proxies bring along from an earlier stream.
func NewTarget(snapshot *cache.Snapshot, past []*cache.Snapshot) *Target {
	t := &Target{snapshot: snapshot, past: past, dangling: map[string][]cache.Reference{}, heartbeats: map[string][]cache.Resource{}}
	t.listened = sync.OnceValue(t.findListened)
	for _, reference := range snapshot.Dangling() {
		if reference.Type == resourcev3.ClusterType {
			t.dangling[reference.Name] = append(t.dangling[reference.Name], reference)
		}
	}
	for _, r := range snapshot.Resources(resourcev3.ClusterType) {
		if compound(r) {
			t.compound = append(t.compound, r)
		}
	}
	for _, typeURL := range snapshot.Types() {
		for _, r := range snapshot.Resources(typeURL) {
			if r.TTL() > 0 {
				t.heartbeats[typeURL] = append(t.heartbeats[typeURL], r)
			}
		}
	}
	return t
}

// Next returns the target that follows t. It is NewTarget, without a look at all
// resources where only endpoints have changed.
func (t *Target) Next(snapshot *cache.Snapshot, past []*cache.Snapshot) *Target {
	for _, c := range snapshot.Since(t.snapshot) {
		ttl := func(name string) bool { r, _ := snapshot.Resource(c.TypeURL, name); return r.TTL() > 0 }
		if c.TypeURL != resourcev3.EndpointType || len(c.Added)+len(c.Removed)+len(t.heartbeats[c.TypeURL]) > 0 ||
			slices.ContainsFunc(c.Changed, ttl) {
			return NewTarget(snapshot, past)
		}
	}
	next := &Target{snapshot: snapshot, past: past, dangling: t.dangling, compound: t.compound, heartbeats: t.heartbeats}
	next.listened = sync.OnceValue(next.findListened)
	return next
}

// compound reports whether r names clusters, which for a cluster means that it is
// made of them.
func compound(r cache.Resource) bool {
	for range r.Targets(resourcev3.ClusterType) {
		return true
	}
	return false
}

func (t *Target) findListened() []string {
	names := map[string]bool{}
	for _, s := range t.past {
		for _, l := range s.Resources(resourcev3.ListenerType) {
			for cluster := range l.Targets(resourcev3.ClusterType) {
				names[cluster] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// Snapshot returns the config.
func (t *Target) Snapshot() *cache.Snapshot { return t.snapshot }

// Past returns the snapshots before it, newest first.
func (t *Target) Past() []*cache.Snapshot { return t.past }

func (t *Target) resource(typeURL, name string) (cache.Resource, bool) {
	return t.snapshot.Resource(typeURL, name)
}

// has reports whether the target has exactly this resource.
func (t *Target) has(r cache.Resource) bool {
	same, ok := t.resource(r.TypeURL(), r.Name())
	return ok && same.Equal(r)
}

// find returns the resource of that name that a version was given to.
func (t *Target) find(typeURL, name string, version cache.Version) (cache.Resource, bool) {
	return t.newest(func(s *cache.Snapshot) (cache.Resource, bool) {
		r, ok := s.Resource(typeURL, name)
		return r, ok && r.Version() == version
	})
}

// last returns the newest resource of that name.
func (t *Target) last(typeURL, name string) (cache.Resource, bool) {
	return t.newest(func(s *cache.Snapshot) (cache.Resource, bool) { return s.Resource(typeURL, name) })
}

// findVersion returns the resource of a type that a version was given to.
func (t *Target) findVersion(typeURL string, version cache.Version) (cache.Resource, bool) {
	return t.newest(func(s *cache.Snapshot) (cache.Resource, bool) {
		resources := s.Resources(typeURL)
		i := slices.IndexFunc(resources, func(r cache.Resource) bool { return r.Version() == version })
		if i < 0 {
			return cache.Resource{}, false
		}
		return resources[i], true
	})
}

// newest returns what a look into the snapshots, newest first, finds.
func (t *Target) newest(look func(*cache.Snapshot) (cache.Resource, bool)) (found cache.Resource, ok bool) {
	t.generation(func(s *cache.Snapshot) bool {
		if r, has := look(s); has {
			found, ok = r, true
		}
		return ok
	})
	return found, ok
}

// generation returns the newest snapshot that has a property.
func (t *Target) generation(has func(*cache.Snapshot) bool) (*cache.Snapshot, bool) {
	if has(t.snapshot) {
		return t.snapshot, true
	}
	i := slices.IndexFunc(t.past, has)
	if i < 0 {
		return nil, false
	}
	return t.past[i], true
}

// Recall returns the resources of a type that have a version together, in any
// snapshot: all of the type, those of the names, or one.
func (t *Target) Recall(typeURL string, version cache.Version, names *Names) ([]cache.Resource, bool) {
	if s, ok := t.generation(func(s *cache.Snapshot) bool { return s.Version(typeURL) == version }); ok {
		return s.Resources(typeURL), true
	}
	if s, ok := t.generation(func(s *cache.Snapshot) bool { return names.in(s, typeURL).version == version }); ok {
		return names.of(s, typeURL), true
	}
	r, ok := t.findVersion(typeURL, version)
	return []cache.Resource{r}, ok
}

// heartbeatInterval is half the shortest TTL of a type; zero: none has one.
func (t *Target) heartbeatInterval(typeURL string) time.Duration {
	var shortest time.Duration
	for _, r := range t.heartbeats[typeURL] {
		if shortest == 0 || r.TTL() < shortest {
			shortest = r.TTL()
		}
	}
	return shortest / 2
}
