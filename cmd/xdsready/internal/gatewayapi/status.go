package gatewayapi

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// ClassStatus returns the status of a GatewayClass of ours.
func ClassStatus(class *gatewayv1.GatewayClass) gatewayv1.GatewayClassStatus {
	var f fault
	if ref := class.Spec.ParametersRef; ref != nil {
		f = faultf(gatewayv1.GatewayClassReasonInvalidParameters, "parametersRef to %s %s: no parameters are supported",
			groupKind(ref.Group, ref.Kind), ref.Name)
	}
	return gatewayv1.GatewayClassStatus{Conditions: []metav1.Condition{
		positive(gatewayv1.GatewayClassConditionStatusAccepted, gatewayv1.GatewayClassReasonAccepted, f, class.Generation),
	}}
}

// EndpointsUsable is a condition of our own on the parents of a route: whether
// all of the EndpointSlices of its backends can be used.
const EndpointsUsable gatewayv1.RouteConditionType = "xdsready.io/EndpointsUsable"

// EndpointsCondition returns the condition for the problems that
// [Backend.Endpoints] returned for the backends of a route.
func EndpointsCondition(problems []string, generation int64) metav1.Condition {
	var f fault
	if len(problems) > 0 {
		f = fault{reason: "InvalidEndpoints", message: summary(problems)}
	}
	return positive(EndpointsUsable, "EndpointsUsable", f, generation)
}

// parentStatus returns the status of a route for one parent reference; f is why
// it is not attached, if so.
func (s *Resolution) parentStatus(ref gatewayv1.ParentReference, f fault) gatewayv1.RouteParentStatus {
	generation := s.Route.Object.Generation
	conditions := []metav1.Condition{
		positive(gatewayv1.RouteConditionAccepted, gatewayv1.RouteReasonAccepted, f, generation),
		positive(gatewayv1.RouteConditionResolvedRefs, gatewayv1.RouteReasonResolvedRefs, s.fault, generation),
	}
	if dropped := s.Route.droppedRules(); f.none() && len(dropped) > 0 {
		conditions = append(conditions, newCondition(gatewayv1.RouteConditionPartiallyInvalid, metav1.ConditionTrue,
			fault{reason: string(gatewayv1.RouteReasonUnsupportedValue), message: summary(dropped)}, generation))
	}
	return gatewayv1.RouteParentStatus{ParentRef: ref, Conditions: conditions}
}

// gatewayStatus returns the status of the Gateway and of its listeners.
func (a *assembly) gatewayStatus() gatewayv1.GatewayStatus {
	g := a.gateway
	var status gatewayv1.GatewayStatus
	for _, s := range a.sites {
		status.Listeners = append(status.Listeners, s.status(g.Object.Generation))
	}
	status.Conditions = []metav1.Condition{
		a.accepted(),
		positive(gatewayv1.GatewayConditionProgrammed, gatewayv1.GatewayReasonProgrammed, a.notProgrammed(), g.Object.Generation),
		positive(gatewayv1.GatewayConditionResolvedRefs, gatewayv1.GatewayReasonResolvedRefs, a.notResolved(), g.Object.Generation),
	}
	return status
}

// accepted is true while any listener is used, and says which are not.
func (a *assembly) accepted() metav1.Condition {
	generation := a.gateway.Object.Generation
	used, unused := a.names(func(s *site) bool { return s.usable })
	switch {
	case !a.gateway.fault.none() || len(unused) == 0:
		return positive(gatewayv1.GatewayConditionAccepted, gatewayv1.GatewayReasonAccepted, a.gateway.fault, generation)
	case len(used) == 0:
		f := faultf(gatewayv1.GatewayReasonListenersNotValid, "no listener can be used: %s", strings.Join(unused, ", "))
		return newCondition(gatewayv1.GatewayConditionAccepted, metav1.ConditionFalse, f, generation)
	default:
		f := faultf(gatewayv1.GatewayReasonListenersNotValid, "listeners left out: %s; in use: %s",
			strings.Join(unused, ", "), strings.Join(used, ", "))
		return newCondition(gatewayv1.GatewayConditionAccepted, metav1.ConditionTrue, f, generation)
	}
}

// notProgrammed says why the Gateway as a whole is not served as it asks. The
// proxies listen on their own addresses: that of a Service or load balancer in
// front of them is not ours to give.
func (a *assembly) notProgrammed() fault {
	switch used, _ := a.names(func(s *site) bool { return s.usable }); {
	case len(used) == 0:
		return faultf(gatewayv1.GatewayReasonInvalid, "no listener can be used")
	case len(a.gateway.Object.Spec.Addresses) > 0:
		return faultf(gatewayv1.GatewayReasonAddressNotUsable,
			"addresses: none can be assigned; the listeners are served on the addresses of the proxies")
	default:
		return fault{}
	}
}

func (a *assembly) notResolved() fault {
	if _, unresolved := a.names(func(s *site) bool { return s.refs.none() }); len(unresolved) > 0 {
		return faultf(gatewayv1.GatewayReasonListenersNotResolved, "listeners: %s", strings.Join(unresolved, ", "))
	}
	return fault{}
}

// names returns the names of the listeners that pass a test, and of the others.
func (a *assembly) names(test func(*site) bool) (passed, failed []string) {
	for _, s := range a.sites {
		if test(s) {
			passed = append(passed, string(s.spec.Name))
		} else {
			failed = append(failed, string(s.spec.Name))
		}
	}
	return passed, failed
}

// status returns the status of a listener.
func (s *site) status(generation int64) gatewayv1.ListenerStatus {
	var notProgrammed fault
	if !s.usable {
		notProgrammed = faultf(gatewayv1.ListenerReasonInvalid, "the listener is left out: see the other conditions")
	}
	conditions := []metav1.Condition{
		positive(gatewayv1.ListenerConditionAccepted, gatewayv1.ListenerReasonAccepted, s.accepted, generation),
		positive(gatewayv1.ListenerConditionProgrammed, gatewayv1.ListenerReasonProgrammed, notProgrammed, generation),
		positive(gatewayv1.ListenerConditionResolvedRefs, gatewayv1.ListenerReasonResolvedRefs, s.refs, generation),
	}
	if s.conflict.none() {
		conditions = append(conditions, newCondition(gatewayv1.ListenerConditionConflicted, metav1.ConditionFalse,
			fault{reason: string(gatewayv1.ListenerReasonNoConflicts)}, generation))
	} else {
		conditions = append(conditions, newCondition(gatewayv1.ListenerConditionConflicted, metav1.ConditionTrue, s.conflict, generation))
	}
	if s.overlap != "" {
		conditions = append(conditions, newCondition(gatewayv1.ListenerConditionOverlappingTLSConfig, metav1.ConditionTrue,
			fault{reason: string(gatewayv1.ListenerReasonOverlappingHostnames), message: s.overlap}, generation))
	}
	return gatewayv1.ListenerStatus{
		Name:           s.spec.Name,
		SupportedKinds: s.kinds,
		AttachedRoutes: int32(len(s.routes)),
		Conditions:     conditions,
	}
}
