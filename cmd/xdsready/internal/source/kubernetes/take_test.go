package kubernetes

import (
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/gatewayapi"
)

// The first update tells all groups, even those without a route, and only when
// what is missing has been confirmed.
func TestFirstUpdate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.live.slowest = time.Second
		s.route("r", "g0", 1, target{shopA, 80}, target{bankPay, 80})
		s.route("gone", "g0", 2, target{types.NamespacedName{Namespace: "shop", Name: "none"}, 80})
		s.tell()
		began := time.Now()
		update, groups := s.take()
		same(t, "groups", []string{"shop/g0", "shop/g1"}, groups)
		if took := time.Since(began); took == 0 || took >= startConfirmTimeout {
			t.Errorf("it took %v: it did not wait for confirmations, or did not get them", took)
		}
		resources, err := update.Groups["shop/g0"].Resources()
		if err != nil {
			t.Fatal(err)
		}
		c := newContent(resources)
		same(t, "routes", []string{"1/0", "1/1", "2/0"}, slices.Sorted(maps.Keys(c.routes)))
		if to, ok := c.routes["1/1"]; !ok || to != "" || c.routes["2/0"] != "xdsready/absent/shop/none/80" || c.clusters["shop/none/80"] {
			t.Errorf("what is absent: %+v", c)
		}
	})
}

// An API server that confirms nothing does not hold up the start for longer
// than 5 s.
func TestFirstUpdateEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.live.mute = true
		s.route("r", "g0", 1, target{bankPay, 80})
		s.tell()
		began := time.Now()
		if to, ok := s.content().routes["1/0"]; !ok || to != "" {
			t.Errorf("the route is shown: %v, and goes to %q", ok, to)
		}
		if took := time.Since(began); took != startConfirmTimeout {
			t.Errorf("it took %v, want %v", took, startConfirmTimeout)
		}
		time.Sleep(time.Hour)
		s.idle("after the start had given up,")
	})
}

// An update touches only what a change concerns.
func TestWhatAnUpdateTouches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.route("r0", "g0", 0, target{shopA, 80})
		s.route("r1", "g1", 1, target{shopB, 80})
		s.tell()
		s.take()
		for _, step := range []struct {
			name    string
			change  func()
			groups  []string
			changed bool // endpoints only
		}{
			{"a slice", func() { put(s.live, s.inputs.slices, kindSlice, newSlice(shopA, "10.0.0.2")) }, []string{"shop/g0"}, true},
			{"a slice of a Service that no route uses", func() { put(s.live, s.inputs.slices, kindSlice, newSlice(bankPay, "10.0.0.2")) }, nil, false},
			{"a Service", func() { put(s.live, s.inputs.services, kindService, newService(shopB, 80, 81)) }, []string{"shop/g1"}, false},
			{"a Service that no route uses", func() { put(s.live, s.inputs.services, kindService, newService(bankPay, 80)) }, nil, false},
			{"a Gateway", func() { put(s.live, s.inputs.gateways, kindGateway, newGateway("g1", 81)) }, []string{"shop/g1"}, false},
			{"a route that goes to another Gateway", func() { s.route("r0", "g1", 2, target{shopA, 80}) }, []string{"shop/g0", "shop/g1"}, false},
			{"a grant that no route needs", func() { put(s.live, s.inputs.grants, kindGrant, newGrant()) }, nil, false},
		} {
			step.change()
			s.tell()
			update, groups := s.take()
			same(t, "groups after a change of "+step.name, step.groups, groups)
			for group, g := range update.Groups {
				if (g.Changed != nil) != step.changed {
					t.Errorf("after a change of %s group %s has changes alone: %v", step.name, group, g.Changed != nil)
				}
			}
		}
	})
}

// A route to what is not known yet keeps its last good version until the API
// server says that it is absent, or it arrives.
func TestSwitchWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.route("r", "g0", 0, target{shopA, 80})
		s.tell()
		s.take()
		// A port, a Service, a slice: each exists, and its watch is late.
		put(s.live, s.inputs.services, kindService, newService(shopA, 80, 81))
		s.route("r", "g0", 1, target{shopA, 81})
		s.tell(kindRoute)
		_, groups := s.take()
		same(t, "groups while the port is late", nil, groups)
		time.Sleep(confirmTimeout / 2)
		s.take()
		s.tell(kindService)
		if c := s.content(); c.routes["1/0"] != "shop/a/81" || !c.clusters["shop/a/81"] || len(c.endpoints["shop/a/81"]) == 0 {
			t.Errorf("when the port has arrived: %+v", c)
		}
		put(s.live, s.inputs.services, kindService, newService(bankPay, 80))
		put(s.live, s.inputs.slices, kindSlice, newSlice(bankPay, "10.0.0.3"))
		put(s.live, s.inputs.grants, kindGrant, newGrant())
		s.route("r", "g0", 2, target{bankPay, 80})
		s.tell(kindRoute)
		for _, kind := range []string{kindService, kindGrant} {
			_, groups = s.take()
			same(t, "groups before "+kind, nil, groups)
			time.Sleep(time.Second)
			s.tell(kind)
		}
		_, groups = s.take()
		same(t, "groups before the slice", nil, groups)
		s.tell(kindSlice)
		if c := s.content(); c.routes["2/0"] != "bank/pay/80" || len(c.endpoints["bank/pay/80"]) == 0 {
			t.Errorf("when all has arrived: %+v", c)
		}
	})
}

// What never arrives, and what nobody confirms, counts as absent after 20 s, not
// sooner and not later.
func TestConfirmationEnds(t *testing.T) {
	for name, mute := range map[string]bool{"it exists": false, "no answer": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t)
				s.tell()
				s.take()
				s.live.mute = mute
				put(s.live, s.inputs.services, kindService, newService(bankPay, 80))
				put(s.live, s.inputs.grants, kindGrant, newGrant())
				s.route("r", "g0", 1, target{bankPay, 80})
				s.tell(kindRoute, kindGrant)
				s.take()
				for until := time.Now().Add(confirmTimeout - time.Nanosecond); time.Now().Before(until); {
					time.Sleep(min(time.Until(until), time.Second))
					synctest.Wait()
					if _, groups := s.take(); len(groups) > 0 {
						t.Fatalf("groups %v before the deadline", groups)
					}
				}
				time.Sleep(time.Nanosecond)
				synctest.Wait()
				if c := s.content(); c.routes["1/0"] != "xdsready/absent/bank/pay/80" {
					t.Errorf("routes %v after the deadline", c.routes)
				}
			})
		})
	}
}

// A slice that goes from one Service to another changes both.
func TestSliceThatMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.route("r", "g0", 0, target{shopA, 80}, target{shopB, 80})
		s.tell()
		s.take()
		slice := newSlice(shopA, "10.0.0.9")
		for _, to := range []string{"b", "a"} {
			moved := slice.DeepCopy()
			moved.Labels[discoveryv1.LabelServiceName] = to
			put(s.live, s.inputs.slices, kindSlice, moved)
			s.tell()
			c := s.content()
			addresses := slices.Concat(c.endpoints["shop/a/80"], c.endpoints["shop/b/80"])
			slices.Sort(addresses)
			same(t, "addresses when the slice is that of "+to, []string{"10.0.0.1", "10.0.0.9"}, addresses)
			if !slices.Contains(c.endpoints["shop/"+to+"/80"], "10.0.0.9") {
				t.Errorf("endpoints when the slice is that of %s: %v", to, c.endpoints)
			}
		}
	})
}

// A grant, or its end, reaches the routes that need it, and no other change is
// needed for that.
func TestGrants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		put(s.live, s.inputs.services, kindService, newService(bankPay, 80))
		put(s.live, s.inputs.slices, kindSlice, newSlice(bankPay, "10.0.0.3"))
		s.route("r", "g0", 0, target{bankPay, 80})
		s.tell()
		s.take()
		for range 2 {
			put(s.live, s.inputs.grants, kindGrant, newGrant())
			s.tell()
			if to := s.content().routes["0/0"]; to != "bank/pay/80" {
				t.Errorf("with a grant the route goes to %q", to)
			}
			remove(s.live, s.inputs.grants, kindGrant, newGrant())
			s.tell()
			s.take()
			time.Sleep(confirmTimeout / 2)
			synctest.Wait()
			if to := s.content().routes["0/0"]; to != "" {
				t.Errorf("without a grant the route goes to %q", to)
			}
		}
	})
}

// An answer on another version of a route says nothing of this one, which may be
// younger than what it refers to.
func TestStaleAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.tell()
		s.take()
		s.live.mute = true
		s.route("r", "g0", 1, target{bankPay, 80})
		s.tell()
		s.take()
		old := *s.collections.routes.GetKey("shop/r")
		s.route("r", "g0", 2, target{bankPay, 80})
		s.tell()
		s.take()
		absent := []gatewayapi.Absence{{Kind: gatewayapi.AbsentReferenceGrant, Object: bankPay, From: "shop"}}
		s.confirmer.answer(answer{route: old, absent: absent})
		_, groups := s.take()
		same(t, "groups after a stale answer", nil, groups)
		s.confirmer.answer(answer{route: *s.collections.routes.GetKey("shop/r"), absent: absent})
		if _, shown := s.content().routes["2/0"]; !shown {
			t.Error("the route is not shown after its answer")
		}
	})
}

// A Gateway of another class, or none any more, is a group that is gone. Its
// statuses are forgotten.
func TestGatewayGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.route("r", "g0", 0, target{shopA, 80})
		s.tell()
		s.take()
		other := newGateway("g0", 80)
		other.Spec.GatewayClassName = "other"
		put(s.live, s.inputs.gateways, kindGateway, other)
		remove(s.live, s.inputs.gateways, kindGateway, newGateway("g1", 80))
		s.tell()
		update, groups := s.take()
		slices.Sort(update.Removed)
		same(t, "groups", nil, groups)
		same(t, "groups that are gone", []string{"shop/g0", "shop/g1"}, update.Removed)
		if n := len(s.statuses.gateways) + len(s.statuses.routes); n > 0 {
			t.Errorf("%d statuses are left", n)
		}
		put(s.live, s.inputs.gateways, kindGateway, newGateway("g0", 80))
		s.tell()
		if c := s.content(); c.routes["0/0"] != "shop/a/80" {
			t.Errorf("routes %v when the Gateway is back", c.routes)
		}
	})
}

// Bad endpoints are told to the routes of all Gateways that use them, and so is
// their end.
func TestProblemsOfEndpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.route("r0", "g0", 0, target{shopA, 80})
		s.route("r1", "g1", 1, target{shopA, 80})
		s.tell()
		s.take()
		for range 2 {
			bad := newSlice(shopA, "10.0.0.2")
			bad.Endpoints = append(bad.Endpoints, discoveryv1.Endpoint{Addresses: []string{badAddress}})
			put(s.live, s.inputs.slices, kindSlice, bad)
			s.tell()
			s.take()
			same(t, "Gateways whose routes are told", []string{"g0", "g1"}, append(s.endpointsStatus("r0"), s.endpointsStatus("r1")...))
			put(s.live, s.inputs.slices, kindSlice, newSlice(shopA, "10.0.0.3"))
			s.tell()
			s.take()
			same(t, "Gateways whose routes are told after the repair", nil, append(s.endpointsStatus("r0"), s.endpointsStatus("r1")...))
		}
	})
}

// Several faults are told in the same order each time, and each once.
func TestProblemsOfManyServices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		for _, key := range []types.NamespacedName{shopA, shopB} {
			put(s.live, s.inputs.services, kindService, newService(key, 80, 81))
			put(s.live, s.inputs.slices, kindSlice, newSlice(key, badAddress))
		}
		s.route("r", "g0", 0, target{shopA, 80}, target{shopA, 81}, target{shopB, 80}, target{shopB, 81})
		s.tell()
		s.take()
		g := s.model.groups[types.NamespacedName{Namespace: "shop", Name: "g0"}]
		for range 20 {
			same(t, "problems", []string{
				"EndpointSlice a: " + badAddress + " is the proxy itself", "EndpointSlice b: " + badAddress + " is the proxy itself",
			}, s.model.problems(g)[types.NamespacedName{Namespace: "shop", Name: "r"}])
		}
	})
}

// What no route uses is not remembered.
func TestBackendsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.route("r", "g0", 0, target{shopA, 80}, target{shopB, 80})
		s.tell()
		s.take()
		if n := len(s.model.backends.made); n != 2 {
			t.Errorf("%d Services were made, want 2", n)
		}
		s.route("r", "g0", 1, target{shopB, 80})
		s.tell()
		s.take()
		if made := slices.Collect(maps.Keys(s.model.backends.made)); len(made) != 1 || made[0] != shopB {
			t.Errorf("Services %v are remembered, want %v", made, shopB)
		}
		remove(s.live, s.inputs.routes, kindRoute, newRoute("r", "g0", 1))
		s.tell()
		s.take()
		m := s.model
		if n := len(m.backends.made) + len(m.attachments) + len(m.byService) + len(m.byGateway) + len(m.byNamespace); n > 0 {
			t.Errorf("%d entries are left without a route", n)
		}
	})
}
