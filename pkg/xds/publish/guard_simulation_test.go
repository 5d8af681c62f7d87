package publish_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"

	"github.com/xdsready/xdsready/pkg/cache"
	"github.com/xdsready/xdsready/pkg/xds/publish"
)

// TestSimulationWithGuard is the simulation with a guard against large losses, in
// a world that has them. All that holds without it must hold, and:
//
//   - of what the config lost at once, nothing is taken from the proxy in time;
//   - the hold ends, so that the proxy has in the end what it is to have.
func TestSimulationWithGuard(t *testing.T) {
	library := newLibrary(t)
	if *simulationSeed != 0 {
		simulateGuarded(t, library, *simulationSeed)
		return
	}
	next := rand.New(rand.NewPCG(2, 0)).Uint64
	if *simulationNew {
		next = rand.Uint64
	}
	holds := 0
	for range *simulationRuns / slower / 4 {
		holds += simulateGuarded(t, library, next())
	}
	if holds == 0 && *simulationRuns > 100 {
		t.Error("nothing was ever held")
	}
}

// simulateGuarded returns how many holds there were.
func simulateGuarded(t *testing.T, library *library, seed uint64) int {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 0))
	times := []time.Duration{3 * time.Second, time.Minute, 5 * time.Minute}
	s := &simulation{t: t, library: library, random: random, losses: &losses{}}
	s.options.MaxRemovals, s.options.HoldRemovals = 20+random.IntN(60), times[random.IntN(len(times))]
	s.run(fmt.Sprintf("guarded seed %d, %d %% held for %v", seed, s.options.MaxRemovals, s.options.HoldRemovals))
	return s.losses.holds
}

// losses is what the test of the guard knows. The nil pointer is a world without.
type losses struct {
	whole *world                    // before the last large loss; nil: it is over
	until map[string]time.Time      // by type and name: how long what was lost must stay
	asked map[string]*publish.Names // in SotW, by type
	holds int                       // that the server told of
}

// connect begins a new stream, on which all holds begin anew.
func (l *losses) connect() {
	if l != nil {
		l.until, l.asked = map[string]time.Time{}, map[string]*publish.Names{}
	}
}

// request works in that what a proxy asks for again it has dropped, and that of
// what it refused not all is known: nothing of that is to stay.
func (l *losses) request(s *simulation, r publish.Request) {
	if l == nil {
		return
	}
	names := slices.Clone(r.Subscribe)
	var asked []string
	for _, name := range r.Names.All() {
		switch {
		case l.asked[r.TypeURL].Has(name):
			asked = append(asked, name)
		case r.Nonce == "" || !s.stale(r): // what a stale request gives up counts, not what it asks for
			names, asked = append(names, name), append(asked, name)
		}
	}
	l.asked[r.TypeURL] = publish.NewNames(asked)
	for _, bad := range s.sent[r.Nonce].resources {
		if r.NACK {
			names = append(names, bad.Name())
		}
	}
	for _, name := range names {
		delete(l.until, key(r.TypeURL, name))
	}
}

// edit makes the world lose much, or have it back.
func (l *losses) edit(s *simulation) {
	switch {
	case l == nil || s.random.IntN(3) > 0:
	case l.whole == nil:
		l.whole = s.world.clone()
		what := [...]string{"clusters", "endpoints", "listeners", "all"}[s.random.IntN(4)]
		s.tracef("edit: most %s are lost", what)
		all := what == "all"
		lose(s.random, s.world.clusters, all || what == "clusters")
		lose(s.random, s.world.endpoints, all || what == "endpoints")
		lose(s.random, s.world.listeners, all || what == "listeners")
		lose(s.random, s.world.tables, all)
	case s.random.IntN(2) == 0:
		s.tracef("edit: what was lost is back")
		s.world, l.whole = l.whole, nil
	default:
		l.whole = nil
	}
}

func lose[V any](random *rand.Rand, from map[string]V, much bool) {
	for _, name := range slices.Sorted(maps.Keys(from)) {
		if much && random.IntN(5) > 0 {
			delete(from, name)
		}
	}
}

// note works in that the target has followed another.
func (l *losses) note(s *simulation, before *cache.Snapshot) {
	if l == nil {
		return
	}
	for _, t := range s.proxy.Types() {
		var lost []string
		for _, r := range before.Resources(t.TypeURL) {
			next, ok := s.target.Resource(t.TypeURL, r.Name())
			if !ok || vacant(next) && !vacant(r) {
				lost = append(lost, key(t.TypeURL, r.Name()))
			}
		}
		for _, r := range s.target.Resources(t.TypeURL) {
			if !vacant(r) { // it is back
				delete(l.until, key(t.TypeURL, r.Name()))
			}
		}
		if t.Answered && len(lost) >= 3 && 100*len(lost) > s.options.MaxRemovals*len(before.Resources(t.TypeURL)) {
			for _, k := range lost {
				l.until[k] = s.now.Add(s.options.HoldRemovals)
			}
		}
	}
}

// vacant reports whether r is a load assignment without endpoints.
func vacant(r cache.Resource) bool {
	m, ok := r.Message().(*endpointv3.ClusterLoadAssignment)
	return ok && len(m.GetEndpoints()) == 0
}

// check looks whether a response takes away what is to stay. What another server
// sent, or a response that is on its way changes, is left out.
func (l *losses) check(s *simulation, m message) {
	typeURL := m.response.TypeURL
	moving := slices.ContainsFunc(s.toClient, func(earlier message) bool { return earlier.response.TypeURL == typeURL })
	if l == nil || s.unknown || s.forgets || moving {
		return
	}
	full := !s.options.Delta && (typeURL == resourcev3.ClusterType || typeURL == resourcev3.ListenerType)
	for name, held := range s.client.holds(typeURL) {
		until, lost := l.until[key(typeURL, name)]
		if !lost || !s.now.Before(until) || vacant(held) {
			continue
		}
		i := slices.IndexFunc(m.resources, func(r cache.Resource) bool { return r.Name() == name })
		if i < 0 && full || i >= 0 && vacant(m.resources[i]) || slices.Contains(m.response.Removed, name) {
			s.fatalf("%s %s goes %v too early", short(typeURL), name, until.Sub(s.now))
		}
	}
}

// event works in an event of the server.
func (l *losses) event(e publish.Event) {
	if l != nil && e.Kind == publish.RemovalsHeld {
		l.holds++
	}
}
