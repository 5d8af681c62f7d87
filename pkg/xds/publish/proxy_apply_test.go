package publish_test

import (
	"slices"
	"strings"

	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"

	"github.com/xdsready/xdsready/pkg/cache"
	"github.com/xdsready/xdsready/pkg/xds/publish"
)

// message is a response on its way, as the proxy reads it.
type message struct {
	response  publish.Response
	resources []cache.Resource
	context   // what was true when it was sent
}

// receive applies a response and answers it.
func (e *envoy) receive(m message) {
	s := e.streams[m.response.TypeURL]
	if s == nil || !s.asked {
		return
	}
	s.reading = true
	var bad []string
	for _, r := range m.resources {
		if e.rejects(r) {
			e.refused[r.Version()] = true
			bad = append(bad, r.Name())
		}
	}
	text := e.apply(m, bad)
	if s.partial = len(bad) > 0; !s.partial {
		s.version = m.response.Version
	}
	e.settle()
	s.nonce, s.reading = m.response.Nonce, false
	e.answer(publish.Request{TypeURL: m.response.TypeURL, Nonce: m.response.Nonce, NACK: len(bad) > 0, Error: text})
}

// rejects reports whether the proxy refuses r; it does not look at what it has.
func (e *envoy) rejects(r cache.Resource) bool {
	return !e.tolerant && e.library.read(r).bad && !e.holds(r.TypeURL())[r.Name()].Equal(r)
}

// apply takes the good resources, and returns what is said about the bad ones.
func (e *envoy) apply(m message, bad []string) string {
	good := slices.DeleteFunc(slices.Clone(m.resources), func(r cache.Resource) bool { return slices.Contains(bad, r.Name()) })
	switch m.response.TypeURL {
	case resourcev3.ClusterType:
		e.applyClusters(m, good)
		return "Error adding/updating cluster(s) " + strings.Join(bad, ": cannot be made, ") + ": cannot be made"
	case resourcev3.ListenerType:
		e.applyListeners(m, good)
		return "Error adding/updating listener(s) " + strings.Join(bad, ": cannot bind, ") + ": cannot bind"
	case resourcev3.EndpointType:
		if e.delta && len(bad) > 0 {
			good = nil
		}
		e.applyEndpoints(m, good)
		return "malformed IP address: x"
	case resourcev3.SecretType:
		e.take(e.secrets, m.response.TypeURL, good)
	case resourcev3.RouteType:
		e.take(e.tables, m.response.TypeURL, good)
		return "Error adding/updating route(s) " + strings.Join(bad, ": invalid, ") + ": invalid"
	}
	return ""
}

// take holds the resources that are asked for.
func (e *envoy) take(held map[string]cache.Resource, typeURL string, resources []cache.Resource) {
	for _, r := range resources {
		if slices.Contains(e.wanted(typeURL), r.Name()) {
			held[r.Name()] = r
		}
	}
}

// gone returns which of the names that the proxy holds a response removes.
func (e *envoy) gone(m message) []string {
	if e.delta {
		return m.response.Removed
	}
	var gone []string
	for name := range e.holds(m.response.TypeURL) {
		if !slices.ContainsFunc(m.resources, func(r cache.Resource) bool { return r.Name() == name }) {
			gone = append(gone, name)
		}
	}
	return gone
}

func (e *envoy) applyClusters(m message, good []cache.Resource) {
	e.started = true
	for _, name := range e.gone(m) {
		delete(e.clusters, name)
	}
	repeat := false
	for _, r := range good {
		c := e.clusters[r.Name()]
		if c == nil {
			c = &modelCluster{}
			e.clusters[r.Name()] = c
		}
		if !latest(c.active, c.warming).Equal(r) {
			c.warming, c.fed, c.answered, c.since = r, false, false, e.now
			c.healed = e.refused[r.Version()]
			repeat = repeat || slices.Contains(e.streams[resourcev3.EndpointType].names, e.library.read(r).service)
		}
	}
	// For a cluster whose load assignment it asks for already, a SotW Envoy repeats
	// the request and a delta Envoy does nothing.
	if !e.delta && repeat && slices.Equal(e.wanted(resourcev3.EndpointType), e.streams[resourcev3.EndpointType].names) {
		e.ask(resourcev3.EndpointType)
	}
}

func (e *envoy) applyListeners(m message, good []cache.Resource) {
	for _, name := range e.gone(m) {
		if l := e.listeners[name]; l != nil {
			e.drain(l.active)
			delete(e.listeners, name)
		}
	}
	for _, r := range good {
		l := e.listeners[r.Name()]
		if l == nil {
			l = &modelListener{}
			e.listeners[r.Name()] = l
		}
		if !latest(l.active, l.warming).Equal(r) {
			l.warming, l.from = r, m.target
		}
	}
}

// drain leaves a listener's connections to themselves for a while.
func (e *envoy) drain(active cache.Resource) {
	if known(active) {
		e.draining = append(e.draining, drainingChain{active, e.library.read(active), e.now.Add(e.drainTime)})
	}
}

func (e *envoy) applyEndpoints(m message, good []cache.Resource) {
	e.take(e.assignments, resourcev3.EndpointType, good)
	fed := slices.Clone(m.response.Removed)
	for _, r := range good {
		fed = append(fed, r.Name())
	}
	for _, c := range e.clusters {
		if slices.Contains(fed, e.library.read(c.warming).service) {
			c.fed = true
		}
	}
}
