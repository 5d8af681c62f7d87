package kubernetes

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/gatewayapi"
)

// statusOf names the object that a status is of.
type statusOf struct {
	kind string // GatewayClass, Gateway or HTTPRoute
	key  types.NamespacedName
}

// statuses are what the objects' status should say. Every replica knows them;
// the elected one writes them.
type statuses struct {
	wake chan struct{} // capacity one

	mu       sync.Mutex // guards all below
	classes  map[types.NamespacedName]gatewayv1.GatewayClassStatus
	gateways map[types.NamespacedName]gatewayStatus
	routes   map[types.NamespacedName]map[types.NamespacedName][]gatewayv1.RouteParentStatus // by route and Gateway
	dirty    map[statusOf]bool                                                               // to be written
}

// gatewayStatus is the status of one Gateway; another one of the same name has
// none yet.
type gatewayStatus struct {
	uid    types.UID
	status gatewayv1.GatewayStatus
}

func newStatuses() *statuses {
	return &statuses{
		wake: make(chan struct{}, 1), classes: map[types.NamespacedName]gatewayv1.GatewayClassStatus{},
		gateways: map[types.NamespacedName]gatewayStatus{},
		routes:   map[types.NamespacedName]map[types.NamespacedName][]gatewayv1.RouteParentStatus{},
		dirty:    map[statusOf]bool{},
	}
}

// update changes the statuses and wakes who writes them.
func (s *statuses) update(change func()) {
	s.mu.Lock()
	change()
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// tellClass says what the status of a GatewayClass of ours should be.
func (s *statuses) tellClass(class *gatewayv1.GatewayClass) {
	s.update(func() {
		s.classes[keyOf(class)] = gatewayapi.ClassStatus(class)
		s.dirty[statusOf{"GatewayClass", keyOf(class)}] = true
	})
}

// tell says what a plan means for the status of its Gateway and routes.
func (s *statuses) tell(key types.NamespacedName, gateway *gatewayapi.Gateway, plan *gatewayapi.Plan, problems map[types.NamespacedName][]string) {
	s.update(func() {
		before := s.gateways[key]
		if before.uid != gateway.Object.UID || !equality.Semantic.DeepEqual(before.status, plan.Gateway) {
			s.gateways[key] = gatewayStatus{gateway.Object.UID, plan.Gateway}
			s.dirty[statusOf{"Gateway", key}] = true
		}
		for route, parents := range s.routes {
			if _, still := plan.Routes[route]; !still && parents[key] != nil {
				s.setRoute(route, key, nil)
			}
		}
		for route, parents := range plan.Routes {
			s.setRoute(route, key, withEndpoints(parents, problems[route]))
		}
	})
}

// setRoute sets what a Gateway says of a route; nil: nothing any more.
func (s *statuses) setRoute(route, gateway types.NamespacedName, parents []gatewayv1.RouteParentStatus) {
	before := s.routes[route][gateway]
	switch {
	case equality.Semantic.DeepEqual(before, parents):
		return
	case parents == nil:
		delete(s.routes[route], gateway)
		if len(s.routes[route]) == 0 {
			delete(s.routes, route)
		}
	case s.routes[route] == nil:
		s.routes[route] = map[types.NamespacedName][]gatewayv1.RouteParentStatus{gateway: parents}
	default:
		s.routes[route][gateway] = parents
	}
	s.dirty[statusOf{"HTTPRoute", route}] = true
}

// parents returns what all Gateways say of a route, always in the same order.
func (s *statuses) parents(route types.NamespacedName) []gatewayv1.RouteParentStatus {
	byGateway := s.routes[route]
	gateways := slices.SortedFunc(maps.Keys(byGateway), func(a, b types.NamespacedName) int {
		return strings.Compare(a.String(), b.String())
	})
	var parents []gatewayv1.RouteParentStatus
	for _, gateway := range gateways {
		parents = append(parents, byGateway[gateway]...)
	}
	return parents
}

// withEndpoints adds what is wrong with the endpoints of a route's backends.
func withEndpoints(parents []gatewayv1.RouteParentStatus, problems []string) []gatewayv1.RouteParentStatus {
	if len(problems) == 0 {
		return parents
	}
	all := make([]gatewayv1.RouteParentStatus, len(parents))
	for i, parent := range parents {
		generation := int64(0)
		for _, c := range parent.Conditions {
			generation = max(generation, c.ObservedGeneration)
		}
		parent.Conditions = append(slices.Clip(parent.Conditions), gatewayapi.EndpointsCondition(problems, generation))
		all[i] = parent
	}
	return all
}

// forget drops what a Gateway that is gone said.
func (s *statuses) forget(gateway types.NamespacedName) {
	s.update(func() {
		delete(s.gateways, gateway)
		for route, parents := range s.routes {
			if parents[gateway] != nil {
				s.setRoute(route, gateway, nil)
			}
		}
	})
}

// recheck has the status of routes that have changed compared with what it
// should be: one that was deleted and created again has lost its own, even if
// nothing else is to be said of it.
func (s *statuses) recheck(routes keys) {
	s.update(func() {
		for route := range routes {
			if s.routes[route] != nil {
				s.dirty[statusOf{"HTTPRoute", route}] = true
			}
		}
	})
}

// markAll has everything written: whoever wrote before may not have finished.
func (s *statuses) markAll() {
	s.update(func() {
		for key := range s.classes {
			s.dirty[statusOf{"GatewayClass", key}] = true
		}
		for key := range s.gateways {
			s.dirty[statusOf{"Gateway", key}] = true
		}
		for key := range s.routes {
			s.dirty[statusOf{"HTTPRoute", key}] = true
		}
	})
}

// take returns what is to be written.
func (s *statuses) take() []statusOf {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []statusOf
	for of := range s.dirty {
		all = append(all, of)
	}
	clear(s.dirty)
	return all
}

// again has one written once more.
func (s *statuses) again(of statusOf) { s.update(func() { s.dirty[of] = true }) }
