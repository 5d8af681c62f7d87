package kubernetes

import (
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Normal states in which content is missing: each becomes ready, and what is
// there is served.
func TestNothingStarves(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		objects func(*scene) []client.Object // besides the Gateway "gw" with a route "r" to the Service "app"
		served  func(*scene, view) bool
	}{
		{"ExternalName",
			func(s *scene) []client.Object { return []client.Object{s.external("app", "app.example.org")} },
			func(s *scene, v view) bool { return v.clusters()[s.cluster("app")] != nil }},
		{"scaled to zero",
			func(s *scene) []client.Object { return []client.Object{s.service("app"), s.slice("app")} },
			func(s *scene, v view) bool { return v.clusters()[s.cluster("app")] != nil }},
		{"a Service without EndpointSlices",
			func(s *scene) []client.Object { return []client.Object{s.service("app")} },
			func(s *scene, v view) bool { return v.clusters()[s.cluster("app")] != nil }},
		{"no Service",
			func(*scene) []client.Object { return nil },
			func(s *scene, v view) bool { return v.clusters()[s.cluster("app")] == nil }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newSceneWithClass(t, shared)
			s.create(t, append(test.objects(s), s.gateway("gw"), s.route("r", "gw", "app"))...)
			p := s.serve(t)
			p.wantReady(t)
			connect(t, p, "delta", ofGateway(s.group("gw"))).until(t, "the route", func(v view) bool {
				return v.routes()[pathOf("r")] != nil && test.served(s, v)
			})
		})
	}
	t.Run("a Gateway without routes", func(t *testing.T) {
		t.Parallel()
		s := newSceneWithClass(t, shared)
		s.create(t, s.gateway("gw"))
		p := s.serve(t)
		p.wantReady(t)
		connect(t, p, "sotw", ofGateway(s.group("gw"))).until(t, "its listener", func(v view) bool { return len(v.listeners()) == 1 })
	})
	t.Run("no Gateways", func(t *testing.T) {
		t.Parallel()
		newSceneWithClass(t, shared).serve(t).wantReady(t)
	})
	t.Run("no GatewayClass", func(t *testing.T) {
		t.Parallel()
		newScene(t, shared).serve(t).wantReady(t)
	})
}
