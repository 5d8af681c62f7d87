package kubernetes

import (
	"testing"
)

// A proxy that comes before its Gateway waits and is served when there is one,
// by its node's cluster as well as by its metadata; deleting the Gateway and
// creating it again never empties it.
func TestGatewayComesAndGoes(t *testing.T) {
	t.Parallel()
	s := newSceneWithClass(t, shared)
	s.create(t, append(s.backend("app"), s.gateway("other"), s.route("r", "gw", "app"))...)
	p := s.serve(t)
	p.wantReady(t)
	proxies := map[string]*proxy{}
	for _, transport := range transports {
		for name, who := range map[string]identity{"cluster": ofGateway(s.group("gw")), "metadata": byMetadata(s.group("gw"))} {
			served := false
			proxies[transport+" by "+name] = connectWatched(t, p, transport, who, func(v view) {
				served = served || s.serves("r", "app")(v)
				if served && (len(v.listeners()) == 0 || !s.serves("r", "app")(v)) {
					t.Errorf("the %s proxy, by its %s, lost what it had: listeners %q, targets %q", transport, name, sorted(v.listeners()), v.targets())
				}
			})
		}
	}
	eventually(t, "four waiting proxies", func() bool {
		waiting, _ := p.metric(t, "xdsready_unknown_group_streams")
		return waiting == float64(len(proxies))
	})
	s.create(t, s.gateway("gw"))
	for name, proxy := range proxies {
		proxy.until(t, "the route of the proxy "+name, s.serves("r", "app"))
	}

	s.remove(t, s.gateway("gw"))
	s.wantSeen(t, p)
	newcomer := connect(t, p, "delta", ofGateway(s.group("gw")))
	newcomer.until(t, "what the deleted Gateway had", s.serves("r", "app"))
	s.create(t, s.gateway("gw", httpListener("http", 80), httpListener("more", 81)))
	for name, proxy := range proxies {
		proxy.until(t, "the new listener of the proxy "+name, func(v view) bool {
			return len(v.listeners()) == 2 && s.serves("r", "app")(v)
		})
	}
}

// wantSeen waits until the program has worked in all that has happened so far,
// which it shows by serving a change that came after it.
func (s *scene) wantSeen(t *testing.T, p *program) {
	t.Helper()
	name := s.unique("seen")
	s.create(t, s.gateway(name))
	connect(t, p, "sotw", ofGateway(s.group(name))).until(t, "a later Gateway", func(v view) bool { return len(v.listeners()) == 1 })
}
