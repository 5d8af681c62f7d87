package kubernetes

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

var (
	yesterday = metav1.NewTime(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC))
	now       = metav1.NewTime(time.Date(2024, 1, 2, 0, 0, 0, 0, time.UTC))
)

// condition has a status since a time.
func condition(kind string, status metav1.ConditionStatus, since metav1.Time) metav1.Condition {
	return metav1.Condition{Type: kind, Status: status, Reason: "R", LastTransitionTime: since}
}

func parent(name string, controller gatewayv1.GatewayController, conditions ...metav1.Condition) gatewayv1.RouteParentStatus {
	return gatewayv1.RouteParentStatus{
		ParentRef: gatewayv1.ParentReference{Name: gatewayv1.ObjectName(name)}, ControllerName: controller, Conditions: conditions,
	}
}

// Each condition has the time since when it has its status; those of others stay.
func TestMerge(t *testing.T) {
	current := []metav1.Condition{
		condition("Other", metav1.ConditionTrue, yesterday),
		condition("Same", metav1.ConditionTrue, yesterday),
		condition("Changed", metav1.ConditionTrue, yesterday),
	}
	desired := []metav1.Condition{
		condition("Same", metav1.ConditionTrue, now),
		condition("Changed", metav1.ConditionFalse, now),
		condition("New", metav1.ConditionTrue, now),
	}
	desired[0].ObservedGeneration = 7
	same := condition("Same", metav1.ConditionTrue, yesterday)
	same.ObservedGeneration = 7
	want := []metav1.Condition{
		current[0], same, condition("Changed", metav1.ConditionFalse, now), condition("New", metav1.ConditionTrue, now),
	}
	before := current[1]
	if diff := cmp.Diff(want, merge(current, desired)); diff != "" {
		t.Errorf("merge (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want[1:], replace(current, desired)); diff != "" {
		t.Errorf("replace (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before, current[1]); diff != "" {
		t.Errorf("what was merged into has changed (-before +after):\n%s", diff)
	}
	if c := merge(nil, []metav1.Condition{condition("New", metav1.ConditionTrue, metav1.Time{})}); c[0].LastTransitionTime.IsZero() {
		t.Error("a new condition has no time")
	}
}

// The listeners are those of the spec, each with the times of its own; the
// addresses stay.
func TestMergeGateway(t *testing.T) {
	listener := func(name string, since metav1.Time) gatewayv1.ListenerStatus {
		return gatewayv1.ListenerStatus{Name: gatewayv1.SectionName(name), Conditions: []metav1.Condition{condition("Accepted", metav1.ConditionTrue, since)}}
	}
	current := gatewayv1.GatewayStatus{
		Addresses:  []gatewayv1.GatewayStatusAddress{{Value: "10.0.0.1"}},
		Conditions: []metav1.Condition{condition("Other", metav1.ConditionTrue, yesterday)},
		Listeners:  []gatewayv1.ListenerStatus{listener("gone", yesterday), listener("http", yesterday)},
	}
	got := mergeGateway(current, gatewayv1.GatewayStatus{
		Conditions: []metav1.Condition{condition("Accepted", metav1.ConditionTrue, now)},
		Listeners:  []gatewayv1.ListenerStatus{listener("https", now), listener("http", now)},
	})
	want := gatewayv1.GatewayStatus{
		Addresses:  current.Addresses,
		Conditions: []metav1.Condition{current.Conditions[0], condition("Accepted", metav1.ConditionTrue, now)},
		Listeners:  []gatewayv1.ListenerStatus{listener("https", now), listener("http", yesterday)},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}

// Entries of other controllers stay, and none changes its place: two controllers
// that put their own last would write for ever.
func TestMergeParents(t *testing.T) {
	accepted := func(since metav1.Time) metav1.Condition { return condition("Accepted", metav1.ConditionTrue, since) }
	current := []gatewayv1.RouteParentStatus{
		parent("a", "us", accepted(yesterday)),
		parent("a", "them", accepted(yesterday)),
		parent("gone", "us", accepted(yesterday)),
		parent("a", "us", accepted(yesterday)), // twice, which we never write
	}
	desired := []gatewayv1.RouteParentStatus{parent("b", "", accepted(now)), parent("a", "", accepted(now))}
	want := []gatewayv1.RouteParentStatus{
		parent("a", "us", accepted(yesterday)),
		parent("a", "them", accepted(yesterday)),
		parent("b", "us", accepted(now)),
	}
	got := mergeParents(current, desired, "us")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("parents (-want +got):\n%s", diff)
	}
	if again := mergeParents(got, desired, "us"); !equality.Semantic.DeepEqual(got, again) {
		t.Errorf("the same once more changes it: %v", again)
	}
	if left := mergeParents(got, nil, "us"); len(left) != 1 || left[0].ControllerName != "them" {
		t.Errorf("without parents of ours there is left: %v", left)
	}
	if desired[0].ControllerName != "" {
		t.Error("what it was given has changed")
	}
}

// A section of a Gateway is another parent than the Gateway.
func TestMergeParentsBySection(t *testing.T) {
	section := gatewayv1.SectionName("http")
	whole, part := parent("a", "us"), parent("a", "us")
	part.ParentRef.SectionName = &section
	got := mergeParents([]gatewayv1.RouteParentStatus{part}, []gatewayv1.RouteParentStatus{whole, part}, "us")
	if diff := cmp.Diff([]gatewayv1.RouteParentStatus{part, whole}, got); diff != "" {
		t.Errorf("parents (-want +got):\n%s", diff)
	}
}

// What several Gateways say of a route comes in an order of its own.
func TestOrderOfParents(t *testing.T) {
	for range 20 {
		s := newStatuses()
		for _, gateway := range []string{"c", "a", "b"} {
			s.setRoute(shopA, bankPay, nil) // nothing to take back
			key := shopA
			key.Name = gateway
			s.setRoute(shopA, key, []gatewayv1.RouteParentStatus{parent(gateway, "")})
		}
		var got []string
		for _, p := range s.parents(shopA) {
			got = append(got, string(p.ParentRef.Name))
		}
		same(t, "parents", []string{"a", "b", "c"}, got)
	}
}

// A condition on endpoints is added to a copy, for the newest generation.
func TestWithEndpoints(t *testing.T) {
	first := condition("Accepted", metav1.ConditionTrue, now)
	first.ObservedGeneration = 7
	conditions := append(make([]metav1.Condition, 0, 3), first, condition("ResolvedRefs", metav1.ConditionTrue, now))
	parents := []gatewayv1.RouteParentStatus{parent("a", "", conditions...)}
	got := withEndpoints(parents, []string{"bad"})
	if conditions[:3][2].Type != "" {
		t.Error("the plan's own conditions were written to")
	}
	if len(parents[0].Conditions) != 2 || len(got[0].Conditions) != 3 || got[0].Conditions[2].ObservedGeneration != 7 {
		t.Errorf("given %v, got %v", parents, got)
	}
	if diff := cmp.Diff(parents, withEndpoints(parents, nil)); diff != "" {
		t.Errorf("without problems (-want +got):\n%s", diff)
	}
}
