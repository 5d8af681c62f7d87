package kubernetes

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A CRD that is not installed keeps a start red unless it is optional: then it
// counts as known empty. Installed later, it is read without a restart, and its
// objects enter the snapshots all at once; deleted, it takes nothing away.
func TestCRDComesAndGoes(t *testing.T) {
	t.Parallel()
	s := newSceneWithClass(t, startAPIServer(t, "httproutes"))
	s.create(t, append(s.backend("app"), s.gateway("gw"))...)
	required := s.serve(t)
	required.wantNamedSoon(t, "informers/httproutes", "could not find the requested resource")

	r := startRelay(t, s.environment.Config)
	release := make(chan struct{})
	optional := serve(t, r.kubeconfig(t), s.flags("--optional-crds", "httproutes.gateway.networking.k8s.io")...)
	optional.until(t, "/readyz?verbose", "green with the missing CRD", func(code int, body string) bool {
		return code == http.StatusOK && hasLine(body, "informers/httproutes", "optional and not installed")
	})
	const routes = 50
	proxy := connectWatched(t, optional, "delta", ofGateway(s.group("gw")), func(v view) {
		if got := len(v.routes()); got != 0 && got != routes {
			t.Errorf("the proxy was sent %d of %d routes", got, routes)
		}
	})
	proxy.until(t, "its listener", func(v view) bool { return len(v.listeners()) == 1 })

	r.set("httproutes", holdAfter(10_000, release))
	s.install(t, "httproutes")
	for i := range routes {
		s.create(t, s.route(fmt.Sprintf("r%d", i), "gw", "app"))
	}
	required.wantReady(t) // it has read all of them: the other has been told a part by now
	eventually(t, "the read of the routes", func() bool { return strings.Contains(fmt.Sprint(r.seen()), "httproutes") })
	close(release)
	proxy.until(t, "all routes", func(v view) bool { return len(v.routes()) == routes })
	newcomer := connect(t, required, "sotw", ofGateway(s.group("gw")))
	newcomer.until(t, "all routes", func(v view) bool { return len(v.routes()) == routes })

	s.remove(t, &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: "httproutes.gateway.networking.k8s.io"}})
	for _, p := range []*program{required, optional} {
		p.until(t, "/readyz?verbose", "green with the deleted CRD", func(code int, body string) bool {
			return code == http.StatusOK && hasLine(body, "informers/httproutes", "stale since", "could not find")
		})
		for _, transport := range transports {
			connect(t, p, transport, ofGateway(s.group("gw"))).until(t, "all routes", func(v view) bool { return len(v.routes()) == routes })
		}
	}
	s.install(t, "httproutes")
	s.create(t, s.route("new", "gw", "app"))
	for _, p := range []*program{required, optional} {
		p.until(t, "/readyz?verbose", "green without it", func(code int, body string) bool {
			return code == http.StatusOK && !strings.Contains(body, "stale")
		})
	}
}
