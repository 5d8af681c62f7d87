package ready_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/xdsready/xdsready/pkg/ready"
	"github.com/xdsready/xdsready/pkg/ready/readytest"
)

var (
	simulationSeed = flag.Uint64("simulation.seed", 0, "run the simulation with this seed only; 0: new seeds")
	simulationRuns = flag.Int("simulation.runs", 150, "how many seeds the simulation tries")
)

// TestSimulation does random operations to a registry and to the model, and
// compares them after each. A failure prints the operations and the seed:
// go test ./pkg/ready -run TestSimulation -simulation.seed=SEED
func TestSimulation(t *testing.T) {
	if *simulationSeed != 0 {
		synctest.Test(t, func(t *testing.T) { simulate(t, *simulationSeed) })
		return
	}
	opened := 0
	for range *simulationRuns {
		seed := rand.Uint64()
		synctest.Test(t, func(t *testing.T) {
			if simulate(t, seed) {
				opened++
			}
		})
		if t.Failed() {
			return
		}
	}
	if opened < *simulationRuns/4 || opened > *simulationRuns*39/40 {
		t.Errorf("the gate opened in %d of %d runs: the operations leave too much untried", opened, *simulationRuns)
	}
}

// simulation is one registry beside its model.
type simulation struct {
	t        *testing.T
	random   *rand.Rand
	registry *ready.Registry
	model    *model
	actors   []*actor
	tokens   []pendingStore
	drain    context.CancelFunc
	drained  context.Context //nolint:containedctx // what the run under test gets
	trace    []string
}

// actor steers the source of one check, in the registry and in the model.
type actor struct {
	tier     *modelTier
	check    *modelCheck
	real     *ready.Tier
	source   *readytest.Source
	live     atomic.Bool
	signal   func()
	snapshot *ready.Snapshot
}

type pendingStore struct {
	stored func()
	token  token
}

const drainDelay = 5 * time.Second

// simulate reports whether the gate opened.
func simulate(t *testing.T, seed uint64) bool {
	t.Helper()
	s := &simulation{t: t, random: rand.New(rand.NewPCG(seed, 0))}
	s.tracef("seed %d", seed)
	var tiers []string
	for i := range 1 + s.random.IntN(4) {
		tiers = append(tiers, fmt.Sprintf("t%d", i))
	}
	s.model = newModel(tiers)
	s.registry = ready.NewWithOptions(ready.Options{Deadline: -1, Logger: slog.New(slog.DiscardHandler)}, tiers...)
	ctx, drain := context.WithCancel(t.Context())
	s.drain = drain
	s.drained = s.registry.WithDrain(ctx, drainDelay)
	for _, tier := range s.model.tiers { // else most runs end with a forgotten tier
		if s.random.IntN(20) > 0 {
			s.registerIn(tier)
		}
	}
	for range 60 {
		s.step()
		s.compare()
	}
	opened := s.model.open
	s.end()
	return opened
}

// step does one random operation to both.
func (s *simulation) step() {
	switch p := s.random.IntN(100); {
	case p < 6:
		s.register()
	case p < 10 && !s.model.started:
		s.start()
	case p < 20:
		s.wait()
	case p < 30 && len(s.tokens) > 0:
		s.stored()
	case p == 99 && s.random.IntN(20) == 0:
		s.unknownTier()
	default:
		s.act()
	}
	synctest.Wait()
}

func (s *simulation) start() {
	s.tracef("start")
	ended := make(chan error)
	go func() { ended <- s.registry.Start(s.drained) }()
	s.t.Cleanup(func() {
		s.drain()
		if err := <-ended; err != nil {
			s.t.Errorf("Start returned %v", err)
		}
	})
	s.model.started = true
	s.model.settle(false)
}

func (s *simulation) unknownTier() {
	s.tracef("unknown tier")
	s.registry.Tier("typo")
	for _, t := range s.model.tiers {
		if t.unknown {
			return
		}
	}
	s.model.tiers = append(s.model.tiers, &modelTier{name: "typo", unknown: true, late: s.model.phase != ready.Starting})
}

func (s *simulation) register() {
	if len(s.actors) < 12 {
		s.registerIn(s.model.tiers[s.random.IntN(len(s.model.tiers))])
	}
}

// registerIn adds a check of a random kind to a tier.
func (s *simulation) registerIn(t *modelTier) {
	shapes := []shape{byChan, byFunc, byWait, byLive, bySignal, bySnapshot}
	c := &modelCheck{shape: shapes[s.random.IntN(len(shapes))]}
	a := &actor{tier: t, check: c, real: s.registry.Tier(t.name)}
	s.actors = append(s.actors, a)
	var options []ready.CheckOption
	if c.shape != byLive && c.shape != bySnapshot && s.random.IntN(5) == 0 {
		c.eager = true
		options = append(options, ready.Eager())
	}
	if c.shape == byChan && s.random.IntN(4) == 0 {
		c.optional = true
		options = append(options, ready.Optional(time.Second))
	}
	s.model.register(t, c)
	a.source = readytest.NewSource(c.name)
	s.tracef("register %s/%s eager=%t optional=%t", t.name, c.name, c.eager, c.optional)
	switch c.shape {
	case byChan:
		a.real.Chan(c.name, a.source.Done(), options...)
	case byFunc:
		a.real.Func(c.name, a.source.HasSynced, options...)
	case byWait:
		a.real.Wait(c.name, a.source.Wait, options...)
	case byLive:
		a.real.Live(c.name, a.probe, ready.LiveOptions{Interval: time.Second})
	case bySignal:
		a.signal = a.real.Signal(c.name, options...)
	case bySnapshot:
		a.snapshot = a.real.Snapshot(c.name)
	}
}

func (a *actor) probe(context.Context) error {
	if a.live.Load() {
		return nil
	}
	return errors.New("the probe fails")
}

// wait lets every poll, retry, deadline and live check have its turn.
func (s *simulation) wait() {
	s.tracef("wait")
	time.Sleep(30 * time.Second)
	s.model.settle(true)
	synctest.Wait()
}

// act does something to a random check.
func (s *simulation) act() {
	if len(s.actors) == 0 {
		return
	}
	a := s.actors[s.random.IntN(len(s.actors))]
	c := a.check
	name := a.tier.name + "/" + c.name
	if s.random.IntN(12) == 0 {
		s.tracef("fail %s", name)
		a.real.Fail(c.name, errors.New("failed by hand"))
		s.model.report(c, ready.Failed)
		return
	}
	switch c.shape {
	case byChan, byFunc:
		s.tracef("sync %s", name)
		a.source.Sync()
		c.synced = true
		s.model.settle(false)
	case byWait:
		if c.failing = s.random.IntN(3) == 0 && !c.synced; c.failing {
			s.tracef("source fails %s", name)
			a.source.Fail(errors.New("the source fails"))
		} else {
			s.tracef("sync %s", name)
			a.source.Sync()
			c.synced = true
		}
		s.model.settle(false)
	case byLive:
		c.synced = s.random.IntN(3) > 0
		s.tracef("live %s good=%t", name, c.synced)
		a.live.Store(c.synced)
	case bySignal:
		if s.model.races(a.tier) {
			s.wait()
		}
		s.tracef("signal %s", name)
		a.signal()
		s.model.signal(a.tier, c)
	case bySnapshot:
		s.actSnapshot(a, name)
	}
}

func (s *simulation) actSnapshot(a *actor, name string) {
	if s.model.races(a.tier) {
		s.wait()
	}
	groups := []string{"a", "b", "c"}
	switch group := groups[s.random.IntN(len(groups))]; s.random.IntN(4) {
	case 0:
		s.tracef("begin %s", name)
		s.tokens = append(s.tokens, pendingStore{a.snapshot.Begin(), s.model.begin(a.tier, a.check)})
	case 1:
		groups = groups[:s.random.IntN(len(groups)+1)]
		s.tracef("expect %s %v", name, groups)
		a.snapshot.Expect(groups...)
		s.model.expect(a.tier, a.check, groups)
	case 2:
		s.tracef("settle %s %s", name, group)
		a.snapshot.Settle(group)
		s.model.settleGroup(a.tier, a.check, group)
	case 3:
		s.tracef("group fails %s %s", name, group)
		a.snapshot.Fail(group, errors.New("the group fails"))
		s.model.settleGroup(a.tier, a.check, group)
	}
}

func (s *simulation) stored() {
	i := s.random.IntN(len(s.tokens))
	s.tracef("stored %s (%d)", s.tokens[i].token.check.name, i)
	s.tokens[i].stored()
	s.model.stored(s.tokens[i].token)
	if s.random.IntN(2) == 0 { // it may be called again
		s.tokens = append(s.tokens[:i], s.tokens[i+1:]...)
	}
}

// end drains and checks the two bits on the way.
func (s *simulation) end() {
	s.tracef("drain")
	s.drain()
	synctest.Wait()
	s.model.phase = ready.Draining
	s.bits()
	s.registerIn(s.model.tiers[0])
	if c := s.actors[len(s.actors)-1].check; c.state != ready.Late {
		s.t.Errorf("a check registered while draining is %s in the model", c.state)
	}
	time.Sleep(drainDelay - time.Nanosecond)
	s.bits()
	time.Sleep(time.Nanosecond)
	synctest.Wait()
	s.model.open = false
	s.bits()
	<-s.drained.Done()
}

// bits compares phase and gate.
func (s *simulation) bits() {
	s.t.Helper()
	isReady := s.model.phase == ready.Ready
	if got := s.registry.Status().Phase; got != s.model.phase {
		s.fatalf("phase is %s, want %s", got, s.model.phase)
	}
	if s.registry.Ready() != isReady || s.registry.Open() != s.model.open {
		s.fatalf("Ready() = %t, Open() = %t, want %t, %t", s.registry.Ready(), s.registry.Open(), isReady, s.model.open)
	}
	if (s.registry.Err() == nil) != isReady || (s.registry.AdmissionErr() == nil) != s.model.open {
		s.fatalf("Err() = %v, AdmissionErr() = %v with ready = %t, open = %t",
			s.registry.Err(), s.registry.AdmissionErr(), isReady, s.model.open)
	}
}

// compare compares all states.
func (s *simulation) compare() {
	s.t.Helper()
	s.bits()
	var want, got []string
	for _, t := range s.model.tiers {
		want = append(want, fmt.Sprintf("%s %s", t.name, t.state()))
		for _, c := range t.checks {
			want = append(want, fmt.Sprintf("%s/%s %s", t.name, c.name, c.state))
		}
	}
	for _, t := range s.registry.Status().Tiers {
		got = append(got, fmt.Sprintf("%s %s", t.Name, t.State))
		for _, c := range t.Checks {
			got = append(got, fmt.Sprintf("%s/%s %s", t.Name, c.Name, c.State))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		s.fatalf("the registry is not as the model (-model +registry):\n%s", diff)
	}
}

func (s *simulation) tracef(format string, args ...any) {
	s.trace = append(s.trace, fmt.Sprintf(format, args...))
}

func (s *simulation) fatalf(format string, args ...any) {
	s.t.Helper()
	s.t.Fatalf("%s\nafter:\n%s", fmt.Sprintf(format, args...), strings.Join(s.trace, "\n"))
}
