package kubernetes

import (
	"net/http"
	"strings"
	"testing"
)

// A proxy that comes before its Gateway waits and is served when there is one,
// by its node's cluster as well as by its metadata; deleting the Gateway and
// creating it again never empties it.
func TestGatewayComesAndGoes(t *testing.T) {
	t.Parallel()
	s := newSceneWithClass(t, shared)
	s.create(t, append(s.backend("app"), s.gateway("other"), s.route("r", "gw", "app"))...)
	p := s.serve(t, "--debug")
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
	if _, body := p.ask(t, "/debug/krt"); !strings.Contains(body, `"`+s.group("gw")+`"`) {
		t.Fatalf("/debug/krt has no Gateway: %s", body)
	}

	s.remove(t, s.gateway("gw"))
	p.until(t, "/debug/krt", "without the Gateway", func(code int, body string) bool {
		return code == http.StatusOK && !strings.Contains(body, `"`+s.group("gw")+`"`)
	})
	newcomer := connect(t, p, "delta", ofGateway(s.group("gw")))
	newcomer.until(t, "what the deleted Gateway had", s.serves("r", "app"))
	s.create(t, s.gateway("gw", httpListener("http", 80), httpListener("more", 81)))
	for name, proxy := range proxies {
		proxy.until(t, "the new listener of the proxy "+name, func(v view) bool {
			return len(v.listeners()) == 2 && s.serves("r", "app")(v)
		})
	}
}

// A Service that is deleted while its route stays gets no more requests: its
// addresses are soon those of others. Proxies that were there are told, as those
// that come later.
func TestDeletedServiceGetsNoRequests(t *testing.T) {
	t.Parallel()
	s := newSceneWithClass(t, shared)
	s.create(t, append(s.backend("app"), s.gateway("gw"), s.route("r", "gw", "app"))...)
	p := s.serve(t, "--removal-delay", "1s")
	p.wantReady(t)
	var proxies []*proxy
	for _, transport := range transports {
		x := connect(t, p, transport, ofGateway(s.group("gw")))
		x.until(t, "its route", s.serves("r", "app"))
		proxies = append(proxies, x)
	}
	s.remove(t, s.backend("app")...) // the Service first, as garbage collection has it
	for _, x := range proxies {
		x.until(t, "no addresses for the route", func(v view) bool {
			return v.routes()[pathOf("r")] != nil && len(v.endpoints(s.cluster("app"))) == 0
		})
	}
}
