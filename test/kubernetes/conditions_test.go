package kubernetes

import (
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/xdsready/xdsready/test/process"
)

// condition is what a status should say.
type condition struct {
	kind, status, reason string
}

// holds is a condition that says so.
func holds[C ~string, R ~string](kind C, reason R) condition {
	return condition{string(kind), string(metav1.ConditionTrue), string(reason)}
}

// fails is a condition that says why not.
func fails[C ~string, R ~string](kind C, reason R) condition {
	return condition{string(kind), string(metav1.ConditionFalse), string(reason)}
}

// in reports whether conditions say so, of this generation of the object.
func (c condition) in(conditions []metav1.Condition, generation int64) bool {
	found := meta.FindStatusCondition(conditions, c.kind)
	return found != nil && string(found.Status) == c.status && found.Reason == c.reason && found.ObservedGeneration == generation
}

// wantRoute waits until a route's status for its first parent says so.
func (s *scene) wantRoute(t *testing.T, name string, want ...condition) {
	t.Helper()
	var route gatewayv1.HTTPRoute
	s.wantConditions(t, "HTTPRoute "+name, want, func() ([]metav1.Condition, int64, error) {
		err := s.client.Get(t.Context(), s.key(name), &route)
		for _, parent := range route.Status.Parents {
			if parent.ControllerName == s.controller {
				return parent.Conditions, route.Generation, err
			}
		}
		return nil, route.Generation, err
	})
}

// wantGateway waits until a Gateway's status says so.
func (s *scene) wantGateway(t *testing.T, name string, want ...condition) {
	t.Helper()
	s.wantConditions(t, "Gateway "+name, want, func() ([]metav1.Condition, int64, error) {
		var gateway gatewayv1.Gateway
		err := s.client.Get(t.Context(), s.key(name), &gateway)
		return gateway.Status.Conditions, gateway.Generation, err
	})
}

// wantListener waits until the status of a Gateway's listener says so.
func (s *scene) wantListener(t *testing.T, name, listener string, want ...condition) {
	t.Helper()
	s.wantConditions(t, "listener "+listener+" of Gateway "+name, want, func() ([]metav1.Condition, int64, error) {
		var gateway gatewayv1.Gateway
		err := s.client.Get(t.Context(), s.key(name), &gateway)
		for _, l := range gateway.Status.Listeners {
			if string(l.Name) == listener {
				return l.Conditions, gateway.Generation, err
			}
		}
		return nil, gateway.Generation, err
	})
}

// wantConditions polls a status until it says all that is wanted.
func (s *scene) wantConditions(t *testing.T, what string, want []condition, get func() ([]metav1.Condition, int64, error)) {
	t.Helper()
	var conditions []metav1.Condition
	said := within(process.Limit, func() bool {
		var generation int64
		var err error
		if conditions, generation, err = get(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		for _, c := range want {
			if !c.in(conditions, generation) {
				return false
			}
		}
		return true
	})
	if !said {
		t.Errorf("the status of %s does not say %v within %v; it says %+v", what, want, process.Limit, conditions)
	}
}
