package gatewayapi

import (
	"fmt"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// rule is one rule of an HTTPRoute.
type rule struct {
	spec    *gatewayv1.HTTPRouteRule
	matches []match
	// dropped says what the rule asks for and does not get. Serving the rest of
	// it would do something else than it says, so the Gateway API has the whole
	// rule left out until it is valid.
	dropped string
}

func newRule(spec *gatewayv1.HTTPRouteRule) rule {
	u := rule{spec: spec}
	if field := unsupported(spec); field != "" {
		u.dropped = field + ": not supported"
		return u
	}
	matches := spec.Matches
	if len(matches) == 0 {
		matches = []gatewayv1.HTTPRouteMatch{{}}
	}
	for i, m := range matches {
		compiled, err := newMatch(m)
		if err != nil {
			u.dropped = fmt.Sprintf("match %d: %v", i, err)
			return u
		}
		u.matches = append(u.matches, compiled)
	}
	return u
}

// unsupported returns the first field that asks for what this package cannot do.
func unsupported(spec *gatewayv1.HTTPRouteRule) string {
	switch {
	case spec.Timeouts != nil:
		return "timeouts"
	case spec.Retry != nil:
		return "retry"
	case spec.SessionPersistence != nil:
		return "sessionPersistence"
	}
	if filter := unsupportedFilter(spec.Filters); filter != "" {
		return filter
	}
	for _, ref := range spec.BackendRefs {
		if filter := unsupportedFilter(ref.Filters); filter != "" {
			return filter + " of a backendRef"
		}
	}
	return ""
}

func unsupportedFilter(filters []gatewayv1.HTTPRouteFilter) string {
	for _, filter := range filters {
		if filter.Type != gatewayv1.HTTPRouteFilterExtensionRef {
			return fmt.Sprintf("filter %s", filter.Type)
		}
	}
	return ""
}

// extension returns the fault of the first filter that is an ExtensionRef. None
// is known, and the Gateway API treats those as references that do not resolve:
// the rule stays, and its requests get an error.
func extension(filters []gatewayv1.HTTPRouteFilter) fault {
	for _, filter := range filters {
		if filter.Type == gatewayv1.HTTPRouteFilterExtensionRef {
			ref := valueOr(filter.ExtensionRef, gatewayv1.LocalObjectReference{})
			return faultf(gatewayv1.RouteReasonInvalidKind, "filter ExtensionRef to %s %s: no extension is supported",
				groupKind(ref.Group, ref.Kind), ref.Name)
		}
	}
	return fault{}
}

// groupKind writes a kind as kubectl does.
func groupKind(group gatewayv1.Group, kind gatewayv1.Kind) string {
	if group == "" {
		return string(kind)
	}
	return string(kind) + "." + string(group)
}

// droppedRules says which rules are dropped and why. Each text begins as the
// Gateway API demands of a PartiallyInvalid condition.
func (r *Route) droppedRules() []string {
	var texts []string
	for i, u := range r.rules {
		if u.dropped != "" {
			texts = append(texts, fmt.Sprintf("Dropped Rule %d: %s", i, u.dropped))
		}
	}
	return texts
}
