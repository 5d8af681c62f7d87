package kubernetes

import (
	"net/http"
	"testing"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// Of two replicas, both ready, one writes status; when it ends, the other does.
func TestOneReplicaWritesStatus(t *testing.T) {
	t.Parallel()
	s := newSceneWithClass(t, shared)
	s.create(t, append(s.backend("app"), s.gateway("gw"), s.route("r", "gw", "app"))...)
	replicas := map[string]*program{}
	for _, name := range []string{s.namespace + "-a", s.namespace + "-b"} {
		kubeconfig := s.userKubeconfig(t, name)
		s.grant(t, subject(name), name, append(leastRules(), ownRules()...)...)
		replicas[name] = serve(t, kubeconfig, s.flags("--leader-election-namespace", s.namespace)...)
		replicas[name].wantReady(t)
		connect(t, replicas[name], "delta", ofGateway(s.group("gw"))).until(t, "its route", s.serves("r", "app"))
	}
	accepted := holds(gatewayv1.RouteConditionAccepted, gatewayv1.RouteReasonAccepted)
	s.wantRoute(t, "r", accepted)
	s.create(t, s.route("r2", "gw", "app"))
	s.wantRoute(t, "r2", accepted)
	leaders := s.writers(t, replicas)
	if len(leaders) != 1 {
		t.Fatalf("status was written by %q, want one replica", leaders)
	}
	replicas[leaders[0]].Terminate(t)
	replicas[leaders[0]].WantExit(t)
	s.create(t, s.route("r3", "gw", "app"))
	s.wantRoute(t, "r3", accepted)
	if writers := s.writers(t, replicas); len(writers) != 2 {
		t.Errorf("status was written by %q, want the other replica as well", writers)
	}
}

// writers are the users that have written status.
func (s *scene) writers(t *testing.T, of map[string]*program) []string {
	t.Helper()
	writers := map[string]bool{}
	for user := range of {
		for _, r := range s.requests(t, user) {
			if r.Verb == "patch" && r.ObjectRef.Subresource == "status" && r.Status.Code == http.StatusOK {
				writers[user] = true
			}
		}
	}
	return sorted(writers)
}
