package publish_test

import (
	"slices"
	"strings"

	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"

	"github.com/xdsready/xdsready/pkg/cache"
)

// What a modelled proxy shows, and does not show, when it reconnects.

// blank returns how many types the proxy asks for without a trace of an earlier
// stream: in delta that is so if it holds none.
func (e *envoy) blank() int {
	n := 0
	for _, typeURL := range modelledTypes {
		if s := e.streams[typeURL]; s.asked && (e.delta && len(e.holds(typeURL)) == 0 || !e.delta && s.version == "") &&
			(typeURL == resourcev3.ClusterType || typeURL == resourcev3.ListenerType || len(e.wanted(typeURL)) > 0) {
			n++
		}
	}
	return n
}

// deceives reports whether a proxy looks as if it had no clusters: while one
// warms, it has no endpoints to ask for.
func (e *envoy) deceives() bool {
	return e.owesCDS && !e.streams[resourcev3.EndpointType].asked
}

// lies reports whether the version that a SotW proxy would show is not that of
// what it holds: it took a part of a response, or rejected one before the last
// one, or asks again for what it has dropped. Nobody can know.
func (e *envoy) lies(past []*cache.Snapshot) bool {
	if e.delta {
		return false
	}
	for typeURL, s := range e.streams {
		if s.partial {
			return true
		}
		held, wanted := e.holds(typeURL), e.wanted(typeURL)
		for _, g := range past {
			if !strings.HasPrefix(s.version, g.Version(typeURL).String()) && !strings.HasPrefix(s.version, g.VersionOf(typeURL, wanted).String()) {
				continue
			}
			if slices.ContainsFunc(wanted, func(name string) bool {
				r, ok := g.Resource(typeURL, name)
				return ok && !held[name].Equal(r)
			}) {
				return true
			}
		}
	}
	return false
}

// stale returns the types of which a SotW proxy shows another version than that
// of what it has: it has dropped names since, or rejected a part of a response.
func (e *envoy) stale(target *cache.Snapshot) []string {
	return slices.DeleteFunc(slices.Clone(modelledTypes), func(typeURL string) bool {
		current := target.Version(typeURL)
		if typeURL != resourcev3.ClusterType && typeURL != resourcev3.ListenerType {
			current = target.VersionOf(typeURL, e.wanted(typeURL))
		}
		if typeURL == resourcev3.EndpointType && e.streams[resourcev3.ClusterType].version != target.Version(resourcev3.ClusterType).String() {
			return e.delta // what is sent of clusters again has its endpoints after it
		}
		return e.delta || e.streams[typeURL].version == current.String()
	})
}
