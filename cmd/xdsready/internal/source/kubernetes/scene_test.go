package kubernetes

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/source"
)

var (
	shopA   = types.NamespacedName{Namespace: "shop", Name: "a"}
	shopB   = types.NamespacedName{Namespace: "shop", Name: "b"}
	bankPay = types.NamespacedName{Namespace: "bank", Name: "pay"}
)

// scene is a source and its cluster, all of whose watches are told at once.
type scene struct {
	*Source
	t    *testing.T
	live *liveWorld
}

// newScene has the Gateways shop/g0 and shop/g1 and the Services a and b, each
// with a slice. Nothing has been taken yet.
func newScene(t *testing.T) *scene {
	t.Helper()
	live := newLiveWorld(1)
	live.slowest = time.Millisecond
	s := &scene{newTestSource(t, live), t, live}
	for _, name := range someGateways {
		put(live, s.inputs.gateways, kindGateway, newGateway(name, 80))
	}
	for _, key := range []types.NamespacedName{shopA, shopB} {
		put(live, s.inputs.services, kindService, newService(key, 80))
		put(live, s.inputs.slices, kindSlice, newSlice(key, "10.0.0.1"))
	}
	return s
}

// tell lets the watches of these kinds tell everything; none stand for all.
func (s *scene) tell(kinds ...string) {
	if len(kinds) == 0 {
		kinds = allKinds
	}
	for _, kind := range kinds {
		s.live.deliver(kind, 1000)
	}
	synctest.Wait()
}

// take takes an update and returns the names of its groups.
func (s *scene) take() (update source.Update, groups []string) {
	s.t.Helper()
	select {
	case <-s.Changed():
	default:
	}
	update = s.Take(s.t.Context())
	for group, err := range update.Faults {
		s.t.Errorf("group %s: %v", group, err)
	}
	return update, slices.Sorted(maps.Keys(update.Groups))
}

// content takes an update and returns what it makes of the group shop/g0.
func (s *scene) content() content {
	s.t.Helper()
	update, groups := s.take()
	g, ok := update.Groups["shop/g0"]
	if !ok {
		s.t.Fatalf("the update is of %v, not of shop/g0", groups)
	}
	resources, err := g.Resources()
	if err != nil {
		s.t.Fatal(err)
	}
	return newContent(resources)
}

func (s *scene) route(name, gateway string, tag int, targets ...target) {
	put(s.live, s.inputs.routes, kindRoute, newRoute(name, gateway, tag, targets...))
}

// idle fails the test if there is something to take.
func (s *scene) idle(when string) {
	s.t.Helper()
	synctest.Wait()
	select {
	case <-s.Changed():
		s.t.Errorf("%s there is something to take", when)
	default:
	}
}

// endpointsStatus returns the Gateways that say of a route that its endpoints are
// bad.
func (s *scene) endpointsStatus(route string) []string {
	var all []string
	for gateway, parents := range s.statuses.routes[types.NamespacedName{Namespace: "shop", Name: route}] {
		for _, c := range parents[0].Conditions {
			if strings.Contains(c.Message, badAddress) {
				all = append(all, gateway.Name)
			}
		}
	}
	slices.Sort(all)
	return all
}
