package gatewayapi

import (
	"cmp"
	"fmt"
	"slices"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
)

// Resolution is a Route with all its references looked up. It does not change
// and is safe for concurrent use.
type Resolution struct {
	Route *Route
	// Absent is what was looked up and not there, sorted, without duplicates.
	Absent []Absence

	backends []Backend
	entries  []entry
	fault    fault // of the references
}

// entry is one match of the route with what is done with its requests.
type entry struct {
	rank  rank
	envoy *routev3.Route
}

// Resolve looks up what the route refers to.
func (r *Route) Resolve(w World) *Resolution {
	s := &Resolution{Route: r}
	var faults []fault
	for i, u := range r.rules {
		if f := extension(u.spec.Filters); !f.none() {
			f.message = fmt.Sprintf("rule %d: %s", i, f.message)
			faults = append(faults, f)
		}
		targets := make([]target, len(u.spec.BackendRefs))
		for j, ref := range u.spec.BackendRefs {
			targets[j] = r.resolveRef(ref, w)
			if f := targets[j].fault; !f.none() {
				f.message = fmt.Sprintf("rule %d, backendRef %d: %s", i, j, f.message)
				faults = append(faults, f)
			}
		}
		if u.dropped == "" {
			s.use(i, targets)
		}
	}
	s.fault = join(faults)
	s.Absent = sortAbsences(s.Absent)
	s.backends = sortBackends(s.backends)
	return s
}

// use adds what comes of rule i.
func (s *Resolution) use(i int, targets []target) {
	for _, t := range targets {
		s.Absent = append(s.Absent, t.absent...)
		if t.backend != nil {
			s.backends = append(s.backends, *t.backend)
		}
	}
	u := s.Route.rules[i]
	for j, m := range u.matches {
		route := &routev3.Route{Name: fmt.Sprintf("%s/%d/%d", s.Route.ResourceName(), i, j), Match: m.envoy}
		setAction(route, u.spec.Filters, targets)
		s.entries = append(s.entries, entry{rank: m.rank, envoy: route})
	}
}

// Backends returns the backends that the route uses and that exist, sorted by
// name, without duplicates.
func (s *Resolution) Backends() []Backend { return s.backends }

// sortBackends orders backends by name and removes those that are there twice.
func sortBackends(backends []Backend) []Backend {
	slices.SortFunc(backends, compareBackends)
	return slices.CompactFunc(backends, func(a, b Backend) bool { return compareBackends(a, b) == 0 })
}

func compareBackends(a, b Backend) int {
	return cmp.Or(
		cmp.Compare(a.Service.Namespace, b.Service.Namespace),
		cmp.Compare(a.Service.Name, b.Service.Name),
		cmp.Compare(a.Port, b.Port),
	)
}
