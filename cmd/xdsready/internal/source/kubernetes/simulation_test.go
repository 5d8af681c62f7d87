package kubernetes

import (
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"

	"github.com/xdsready/xdsready/pkg/cache"
)

var (
	simulationSeed = flag.Uint64("simulation.seed", 0, "run the simulation with this seed only; 0: with many")
	simulationRuns = flag.Int("simulation.runs", 25, "how many seeds the simulation tries")
)

// TestSimulation changes a cluster at random, lets each watch be late in its own
// way and the API server answer slowly or not, and looks after each update
// whether a proxy could suffer from it. A failure prints what happened and the
// seed: go test -run TestSimulation -simulation.seed=SEED
func TestSimulation(t *testing.T) {
	for _, test := range []struct {
		name  string
		start func(*simulation)
	}{
		{"late watches", func(s *simulation) { s.latest, s.live.slowest = 8*time.Second, 2*time.Second }},
		{"a silent API server", func(s *simulation) { s.latest, s.live.mute = 8*time.Second, true }},
		{"a watch that hangs", func(s *simulation) { s.hangs, s.live.slowest = true, 2*time.Second }},
		{"watches that hang and a silent API server", func(s *simulation) { s.hangs, s.live.mute = true, true }},
	} {
		t.Run(test.name, func(t *testing.T) {
			if *simulationSeed != 0 {
				simulate(t, *simulationSeed, test.start)
				return
			}
			random := rand.New(rand.NewPCG(1, 0)) // the same seeds each time
			for range *simulationRuns {
				simulate(t, random.Uint64(), test.start)
			}
		})
	}
}

// simulation is a source and the cluster that it follows.
type simulation struct {
	t      *testing.T
	random *rand.Rand
	live   *liveWorld
	source *Source
	latest time.Duration // that a watch is behind the cluster
	hangs  bool          // watches may be behind for any time

	routes  map[int]routeVersion // all there ever were, by tag
	tellAt  map[string]time.Time // when a watch tells all that it has not, by kind
	arrived map[types.NamespacedName]arrival
	gapAt   map[types.NamespacedName]time.Time // when a Service last lost its slice
	shown   map[string][]cache.Resource        // by group
	trace   []string
}

// routeVersion is one version of an HTTPRoute.
type routeVersion struct {
	revision int
	targets  []target
}

// arrival is when a version of a route, and its Gateway, became known.
type arrival struct {
	tag     int
	gateway string
	at      time.Time
}

// The objects of the simulation.
var (
	someServices = []types.NamespacedName{
		{Namespace: "shop", Name: "a"}, {Namespace: "shop", Name: "b"}, {Namespace: "shop", Name: "c"}, {Namespace: "bank", Name: "pay"},
	}
	someRoutes   = []string{"r0", "r1", "r2"}
	someGateways = []string{"g0", "g1"}
	badAddress   = "127.0.0.1" // a backend must not be the proxy itself
	theGrant     = types.NamespacedName{Namespace: "bank", Name: "shop"}
	allKinds     = []string{kindRoute, kindGateway, kindGrant, kindService, kindSlice}
)

func simulate(t *testing.T, seed uint64, start func(*simulation)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &simulation{
			t: t, random: rand.New(rand.NewPCG(seed, 0)), live: newLiveWorld(seed), routes: map[int]routeVersion{}, tellAt: map[string]time.Time{},
			arrived: map[types.NamespacedName]arrival{}, gapAt: map[types.NamespacedName]time.Time{}, shown: map[string][]cache.Resource{},
		}
		start(s)
		s.source = newTestSource(t, s.live)
		for range 10 {
			s.change()
		}
		s.tellAll()
		s.update()
		for range 100 {
			s.step()
			if t.Failed() {
				break
			}
		}
		s.settle()
		if t.Failed() {
			t.Fatalf("seed %d:\n%s", seed, strings.Join(s.trace[max(0, len(s.trace)-60):], "\n"))
		}
	})
}

// newTestSource returns a source of a world, all of whose inputs have been
// listed and found empty. It is for a synctest bubble.
func newTestSource(t *testing.T, live *liveWorld) *Source {
	t.Helper()
	s, err := New(Options{Config: &rest.Config{Host: "http://api.test"}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	s.confirmer.live = live
	t.Cleanup(func() { close(s.stop) })
	in := s.inputs
	for _, latch := range []*latch{
		in.classes.synced, in.gateways.synced, in.routes.synced, in.grants.synced, in.services.synced, in.slices.synced,
		in.secrets.synced, in.namespaces.synced,
	} {
		latch.close()
	}
	class := &gatewayv1.GatewayClass{}
	class.Name, class.Spec.ControllerName = "ours", DefaultController
	in.classes.objects.UpdateObject(class)
	synctest.Wait()
	return s
}

func (s *simulation) log(format string, arguments ...any) {
	s.trace = append(s.trace, fmt.Sprintf("%v %d: ", time.Now().Format("04:05.000"), s.live.revision)+fmt.Sprintf(format, arguments...))
}

func pick[T any](s *simulation, from []T) T { return from[s.random.IntN(len(from))] }

// step lets something happen, and some time pass.
func (s *simulation) step() {
	for range s.random.IntN(4) {
		s.change()
	}
	time.Sleep(time.Duration(s.random.Int64N(int64(2 * time.Second))))
	for _, kind := range allKinds {
		if !s.hangs && !time.Now().Before(s.tellAt[kind]) {
			s.tell(kind, 1000)
		} else if s.random.IntN(3) == 0 && (!s.hangs || kind == kindRoute || kind == kindGateway) {
			s.tell(kind, s.random.IntN(3))
		}
	}
	synctest.Wait()
	select {
	case <-s.source.Changed():
		s.update()
	default:
	}
}

// tell lets the watch of a kind tell its next n changes.
func (s *simulation) tell(kind string, n int) {
	if n > 0 {
		s.log("the watch of %s tells %d", kind, n)
	}
	if s.live.deliver(kind, n) == 0 {
		s.tellAt[kind] = time.Now().Add(s.latest)
	}
}

func (s *simulation) tellAll() {
	for _, kind := range allKinds {
		s.tell(kind, 1000)
	}
	synctest.Wait()
}

// update takes what has changed and looks at what is shown now.
func (s *simulation) update() {
	update := s.source.Take(s.t.Context())
	for group, err := range update.Faults {
		s.t.Errorf("group %s: %v", group, err)
	}
	for name, group := range update.Groups {
		resources, err := group.Resources()
		if err != nil {
			s.t.Errorf("group %s: %v", name, err)
		}
		if group.Changed != nil {
			s.wantOnly(group.Changed, s.shown[name], resources)
		}
		s.shown[name] = resources
	}
	for _, group := range update.Removed {
		delete(s.shown, group)
	}
	s.log("update of %d groups, %d removed", len(update.Groups), len(update.Removed))
	for group, resources := range s.shown {
		c := newContent(resources)
		if !s.hangs {
			s.wantNothingMissing(group, c)
		}
		s.wantFreshEndpoints(group, c)
	}
	s.wantNoStarvation()
}

// wantOnly wants the resources after to be those before but for what has changed.
func (s *simulation) wantOnly(changed, before, after []cache.Resource) {
	s.t.Helper()
	last, err := cache.Build(before, cache.Options{})
	if err != nil {
		s.t.Fatal(err)
	}
	want, err := cache.Build(after, cache.Options{})
	if err != nil {
		s.t.Fatal(err)
	}
	if got, ok := last.Replace(changed...); ok && got.ContentVersion() != want.ContentVersion() {
		s.t.Errorf("an update names %v as changed, and these: %v", changed, cache.Diff(got, want))
	}
}

// wantNothingMissing fails the test if a route is shown without something that
// was there before it and still is.
func (s *simulation) wantNothingMissing(group string, c content) {
	for entry, cluster := range c.routes {
		var tag, number int
		if _, err := fmt.Sscanf(entry, "%d/%d", &tag, &number); err != nil {
			s.t.Errorf("group %s: entry %q: %v", group, entry, err)
			continue
		}
		route := s.routes[tag]
		to := route.targets[number]
		before := func(kind string, key types.NamespacedName, question string) bool {
			since, ok := s.live.existsSince(kind, key, question)
			return ok && since < route.revision
		}
		if to.service.Namespace == "bank" && !before(kindGrant, theGrant, "") || !before(kindService, to.service, fmt.Sprint(":", to.port)) {
			continue
		}
		if cluster != to.String() || !c.clusters[cluster] {
			s.t.Errorf("group %s: route %s to %s goes to %q, cluster shown: %v", group, entry, to, cluster, c.clusters[cluster])
			continue
		}
		if before(kindSlice, to.service, "") && time.Since(s.gapAt[to.service]) > 2*s.latest && len(c.endpoints[cluster]) == 0 {
			s.t.Errorf("group %s: route %s goes to %s without endpoints", group, entry, cluster)
		}
	}
}

// wantFreshEndpoints fails the test if a load assignment does not show what has
// arrived: a change of endpoints waits for nothing.
func (s *simulation) wantFreshEndpoints(group string, c content) {
	for cluster, addresses := range c.endpoints {
		service, _, _ := strings.Cut(strings.Replace(cluster, "/", " ", 1), "/")
		namespace, name, _ := strings.Cut(service, " ")
		want := []string{}
		for _, slice := range s.source.collections.slices.Lookup(types.NamespacedName{Namespace: namespace, Name: name}) {
			want = append(want, slice.Endpoints[0].Addresses...)
		}
		if diff := gocmp.Diff(want, addresses); diff != "" {
			s.t.Errorf("group %s: endpoints of %s (-want +got):\n%s", group, cluster, diff)
		}
	}
}

// wantNoStarvation fails the test if a route that arrived long ago is not shown.
func (s *simulation) wantNoStarvation() {
	now := map[types.NamespacedName]arrival{}
	for _, r := range s.source.inputs.routes.objects.List() {
		a := arrival{gateway: "shop/" + string(r.Spec.ParentRefs[0].Name), at: time.Now()}
		_, _ = fmt.Sscanf(*r.Spec.Rules[0].Matches[0].Path.Value, "/%d", &a.tag)
		if before, known := s.arrived[keyOf(r)]; known && before.tag == a.tag && s.shown[a.gateway] != nil {
			a.at = before.at
		}
		now[keyOf(r)] = a
	}
	s.arrived = now
	for key, a := range s.arrived {
		if time.Since(a.at) < confirmTimeout+5*time.Second {
			continue
		}
		if _, ok := newContent(s.shown[a.gateway]).routes[fmt.Sprintf("%d/0", a.tag)]; !ok {
			s.t.Errorf("group %s: route %s arrived %v ago (tag %d) and is not shown", a.gateway, key, time.Since(a.at), a.tag)
		}
	}
}

// settle lets everything arrive, and compares what is shown with what a new
// replica makes of the cluster.
func (s *simulation) settle() {
	s.tellAll()
	for range 40 {
		time.Sleep(time.Second)
		synctest.Wait()
		select {
		case <-s.source.Changed():
			s.update()
		default:
		}
	}
	other := newTestSource(s.t, s.live)
	in := other.inputs
	for _, o := range s.live.objects {
		switch o := o.(type) {
		case *gatewayv1.HTTPRoute:
			in.routes.objects.UpdateObject(o)
		case *gatewayv1.Gateway:
			in.gateways.objects.UpdateObject(o)
		case *gatewayv1beta1.ReferenceGrant:
			in.grants.objects.UpdateObject(o)
		case *corev1.Service:
			in.services.objects.UpdateObject(o)
		case *discoveryv1.EndpointSlice:
			in.slices.objects.UpdateObject(o)
		}
	}
	synctest.Wait()
	fresh := map[string][]cache.Resource{}
	for name, group := range other.Take(s.t.Context()).Groups {
		fresh[name], _ = group.Resources() // what fails is missing below
	}
	if diff := gocmp.Diff(versions(s.t, fresh), versions(s.t, s.shown)); diff != "" {
		s.t.Errorf("versions, those of a new replica and those shown (-want +got):\n%s", diff)
	}
	for _, diff := range []string{
		gocmp.Diff(other.statuses.routes, s.source.statuses.routes),
		gocmp.Diff(other.statuses.gateways, s.source.statuses.gateways, gocmp.AllowUnexported(gatewayStatus{})),
	} {
		if diff != "" {
			s.t.Errorf("status, that of a new replica and that of this one (-want +got):\n%s", diff)
		}
	}
	if n := s.source.model.waiting(); n > 0 {
		s.t.Errorf("%d routes wait for ever", n)
	}
}
