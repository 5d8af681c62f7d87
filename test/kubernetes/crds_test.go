package kubernetes

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// manyRoutes are more than one read of a list brings.
const manyRoutes = 50

// hasAllRoutes reports whether a proxy has all of them.
func hasAllRoutes(v view) bool { return len(v.routes()) == manyRoutes }

// A CRD that is not installed keeps a start red unless it is optional: then it
// counts as known empty. Installed later, it is read without a restart, and its
// objects enter the snapshots all at once; deleted, it takes nothing away.
func TestCRDComesAndGoes(t *testing.T) {
	t.Parallel()
	s := newSceneWithClass(t, startAPIServer(t, apiOptions{without: []string{"httproutes"}}))
	s.create(t, append(s.backend("app"), s.gateway("gw"))...)
	required := s.serve(t)
	required.wantNamedSoon(t, "informers/httproutes", "could not find the requested resource")

	r := startRelay(t, s.environment.Config)
	optional := serve(t, r.kubeconfig(t), s.flags("--optional-crds", "httproutes.gateway.networking.k8s.io")...)
	optional.until(t, "/readyz?verbose", "green with the missing CRD", func(code int, body string) bool {
		return code == http.StatusOK && hasLine(body, "informers/httproutes", "optional and not installed")
	})
	proxy := wantWholeArrival(t, s, r, optional)
	required.wantReady(t)
	for _, p := range []*program{required, optional} {
		connect(t, p, "delta", ofGateway(s.group("gw"))).until(t, "all routes", hasAllRoutes)
	}

	s.remove(t, &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: "httproutes.gateway.networking.k8s.io"}})
	for _, p := range []*program{required, optional} {
		p.until(t, "/readyz?verbose", "green with the deleted CRD", func(code int, body string) bool {
			return code == http.StatusOK && hasLine(body, "informers/httproutes", "stale since", "could not find")
		})
		for _, transport := range transports {
			connect(t, p, transport, ofGateway(s.group("gw"))).until(t, "all routes", hasAllRoutes)
		}
	}

	proxy.close() // what comes next does take its routes away: it is known that there are none
	s.install(t, "httproutes")
	for _, p := range []*program{required, optional} {
		p.until(t, "/readyz?verbose", "green without it", func(code int, body string) bool {
			return code == http.StatusOK && !strings.Contains(body, "stale")
		})
	}
}

// wantWholeArrival installs HTTPRoute with routes, and has the program read a
// part of them first. The proxy fails the test when it ever has some of them.
func wantWholeArrival(t *testing.T, s *scene, r *relay, p *program) *proxy {
	t.Helper()
	proxy := connectWatched(t, p, "delta", ofGateway(s.group("gw")), func(v view) {
		if got := len(v.routes()); got != 0 && got != manyRoutes {
			t.Errorf("the proxy was sent %d of %d routes", got, manyRoutes)
		}
	})
	proxy.until(t, "its listener", func(v view) bool { return len(v.listeners()) == 1 })
	resume, reached, release := make(chan struct{}), make(chan struct{}), make(chan struct{})
	r.pause("httproutes", resume)
	r.set("httproutes", holdAfter(10_000, reached, release))
	s.install(t, "httproutes")
	for i := range manyRoutes {
		s.create(t, s.route(fmt.Sprintf("r%d", i), "gw", "app"))
	}
	close(resume)
	<-reached
	s.update(t, s.gateway("gw", httpListener("http", 80), httpListener("more", 81)))
	proxy.until(t, "what happens meanwhile", func(v view) bool { return len(v.listeners()) == 2 })
	if got := len(proxy.now().routes()); got != 0 {
		t.Errorf("the proxy has %d routes of a CRD that has not synced", got)
	}
	close(release)
	proxy.until(t, "all routes", hasAllRoutes)
	return proxy
}
