package ready

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Snapshot is the check "a snapshot that was computed after its inputs has been
// stored". Its inputs are the tiers before its own. There is a way in for each
// shape of control plane:
//
//	event loop            case <-s.Inputs(): build once, even if nothing asks for it
//	                      stored := s.Begin(); build and store; stored()
//	reconciler            tier.Await(ctx) first, then as above
//	many node groups      s.Expect(groups...) and s.Settle(group) for each
//	counters              Tier.Backlog instead
//	krt handler           Tier.Syncer with the registration instead
//
// Empty input completes it: a snapshot without resources and zero groups are
// answers. No group may depend on a proxy being connected, because none is
// admitted before.
//
// A nil *Snapshot is synced. All methods are safe for concurrent use.
type Snapshot struct {
	check *check

	// Guarded by the registry's mu.
	begun    bool             // a computation has begun after the inputs were complete
	expected []string         // sorted groups of the complete computations; nil: not told yet
	settled  map[string]error // group → why it failed, nil if it did not
}

// always is closed: what a nil or first tier waits for.
var always = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// Snapshot returns the tier's snapshot check of that name and registers it at
// the first call.
func (t *Tier) Snapshot(name string) *Snapshot {
	if t == nil {
		return nil
	}
	r := t.registry
	defer r.deliver() // after the unlock
	r.mu.Lock()
	defer r.mu.Unlock()
	s, ok := t.snapshots[name]
	if !ok {
		s = &Snapshot{settled: map[string]error{}}
		s.check = &check{name: name, kind: KindSignal, snapshot: s}
		t.snapshots[name] = s
		r.registerLocked(t, s.check)
	}
	return s
}

// Inputs returns a channel that is closed when all tiers before are complete.
// An event loop waits for it to build once even if no event asks for a build,
// as in an empty cluster or on a follower. A check that is registered later,
// while the gate is shut, takes the completeness back, and with it what was
// stored: a program that registers as it goes calls Inputs again after each
// computation. Once one has begun after the inputs were complete there is
// nothing to wait for, and the channel is nil, which is never received from.
func (s *Snapshot) Inputs() <-chan struct{} {
	if s == nil {
		return always
	}
	t := s.check.tier
	r := t.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.begun {
		return nil
	}
	if i := slices.Index(r.tiers, t); i > 0 {
		return r.tiers[i-1].done
	}
	return always
}

// Begin is called before the inputs of a computation are read; the function it
// returns, when the result has been stored. The pair counts only if the inputs
// were complete at Begin. Boolean and channel sources are looked at once, so
// that a poll that lags does not make the computation useless.
func (s *Snapshot) Begin() (stored func()) {
	if s == nil {
		return func() {}
	}
	complete, round := s.check.turn()
	if complete {
		s.begin(round)
	}
	return func() {
		if complete {
			s.check.tier.registry.report(s.check, round, Synced, "")
			return
		}
		s.waits("computed before its inputs were complete")
	}
}

// begin records that a computation after the inputs has begun.
func (s *Snapshot) begin(round int) {
	r := s.check.tier.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	if round == s.check.round { // else an input was added meanwhile
		s.begun = true
	}
}

// Expect names the groups that the check waits for: those of the first complete
// computation. A later call takes away the groups that it does not name, as
// those deleted meanwhile, and adds none. Calls before the inputs are complete do
// nothing; only the moment of the call is judged, so begin the computation after
// [Tier.Await] of the tier before. No group at all is an answer: the check is
// synced.
func (s *Snapshot) Expect(groups ...string) {
	if s == nil {
		return
	}
	complete, round := s.check.turn()
	if !complete {
		s.waits("groups named before its inputs were complete")
		return
	}
	s.update(round, func() {
		if s.expected == nil {
			s.expected = slices.Compact(slices.Sorted(slices.Values(groups)))
			s.expected = append([]string{}, s.expected...) // never nil from here on
		}
		s.expected = slices.DeleteFunc(s.expected, func(g string) bool { return !slices.Contains(groups, g) })
	})
}

// Settle reports that a group's snapshot has been stored, or never will be: a
// group that failed or panicked settles too, so call it deferred. It may be
// called before Expect, but as Expect not before the inputs are complete.
func (s *Snapshot) Settle(group string) { s.Fail(group, nil) }

// Fail settles a group and shows it as failed with err's text: it holds its own
// streams, not the start of all the others. (A computation without groups says
// why it failed by Tier.Fail.)
func (s *Snapshot) Fail(group string, err error) {
	if s == nil {
		return
	}
	complete, round := s.check.turn()
	if !complete {
		return
	}
	s.update(round, func() {
		if _, ok := s.settled[group]; !ok || err != nil {
			s.settled[group] = err
		}
	})
}

// waits records why what was reported did not count.
func (s *Snapshot) waits(why string) {
	s.check.tier.registry.report(s.check, currentRound, Pending, why)
}

// update changes the groups and reports what they amount to now.
func (s *Snapshot) update(round int, change func()) {
	r := s.check.tier.registry
	r.mu.Lock()
	if round == s.check.round {
		change()
		state, message := s.verdictLocked()
		if s.check.state == Synced && state == Synced {
			s.check.message = message // a group that fails after the tier went on
			r.changedLocked()
		}
		r.reportLocked(s.check, round, state, message)
	}
	r.mu.Unlock()
	r.deliver()
}

// verdictLocked says what the settled groups amount to.
func (s *Snapshot) verdictLocked() (State, string) {
	var missing, failed []string
	for _, group := range s.expected {
		if _, ok := s.settled[group]; !ok {
			missing = append(missing, group)
		}
	}
	for _, group := range slices.Sorted(maps.Keys(s.settled)) {
		named := s.expected == nil || slices.Contains(s.expected, group)
		if err := s.settled[group]; err != nil && named {
			failed = append(failed, fmt.Sprintf("%s: %v", group, err))
		}
	}
	if s.expected == nil {
		why := append([]string{fmt.Sprintf("%d groups settled; the groups to wait for are not named yet", len(s.settled))}, failed...)
		return Pending, strings.Join(why, "; ")
	}
	if len(missing) > 0 {
		return Pending, fmt.Sprintf("%d of %d groups settled, waits for %s", len(s.expected)-len(missing), len(s.expected), list(missing))
	}
	if len(failed) > 0 {
		return Synced, fmt.Sprintf("%d of %d groups failed: %s", len(failed), len(s.expected), strings.Join(failed, "; "))
	}
	return Synced, ""
}

// resetLocked forgets the groups. A nil Snapshot has none.
func (s *Snapshot) resetLocked() {
	if s != nil {
		s.begun, s.expected, s.settled = false, nil, map[string]error{}
	}
}
