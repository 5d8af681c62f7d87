package ready_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/xdsready/xdsready/pkg/ready"
	"github.com/xdsready/xdsready/pkg/ready/readytest"
)

// withSnapshot returns a registry with one input signal and a snapshot check.
func withSnapshot() (r *ready.Registry, input func(), s *ready.Snapshot) {
	r = ready.NewWithOptions(quiet())
	return r, r.Tier("inputs").Signal("a"), r.Tier("snapshot").Snapshot("xds")
}

func TestSnapshotIsGetOrCreate(t *testing.T) {
	r, input, s := withSnapshot()
	if r.Tier("snapshot").Snapshot("xds") != s {
		t.Error("a second call with the name returns another snapshot")
	}
	if r.Tier("snapshot").Snapshot("other") == s {
		t.Error("another name returns the same snapshot")
	}
	input()
	s.Begin()()
	wantShut(t, r)
	r.Tier("snapshot").Snapshot("other").Begin()()
	wantOpen(t, r)
	if k := check(t, r, "snapshot", "xds").Kind; k != ready.KindSignal {
		t.Errorf("kind of a snapshot check is %q, want %q", k, ready.KindSignal)
	}
}

// A check of another kind that has the name must not make every call another
// check: the gate would never open.
func TestSnapshotIsGetOrCreateBesideACheckOfItsName(t *testing.T) {
	r := ready.NewWithOptions(quiet(), "snapshot")
	signal := r.Tier("snapshot").Signal("xds")
	for range 3 {
		r.Tier("snapshot").Snapshot("xds").Begin()()
	}
	if got := len(tier(t, r, "snapshot").Checks); got != 2 {
		t.Errorf("the tier has %d checks, want the signal and one snapshot", got)
	}
	signal()
	wantOpen(t, r)
}

func TestSnapshotMustBeComputedAfterItsInputs(t *testing.T) {
	r, input, s := withSnapshot()
	wantState(t, r, "snapshot", "xds", ready.Pending, "waits for inputs")
	stored := s.Begin() // reads its inputs now
	input()
	wantState(t, r, "snapshot", "xds", ready.Pending, "inputs are complete, waits for a snapshot computed after them")
	stored()
	wantState(t, r, "snapshot", "xds", ready.Pending, "computed before its inputs were complete")
	wantShut(t, r)
	s.Begin()()
	wantOpen(t, r)
}

func TestSnapshotComputationThatAnAddedInputOvertakes(t *testing.T) {
	r, input, s := withSnapshot()
	input()
	stored := s.Begin()
	added := r.Tier("inputs").Signal("added")
	added() // complete again, but the computation has not seen it
	stored()
	wantShut(t, r)
	s.Begin()()
	wantOpen(t, r)
}

func TestSnapshotOfTheFirstTierHasNoInputs(t *testing.T) {
	r := ready.NewWithOptions(quiet(), "snapshot")
	s := r.Tier("snapshot").Snapshot("xds")
	if !isClosed(s.Inputs()) {
		t.Error("Inputs() of the first tier is not closed")
	}
	s.Begin()()
	wantOpen(t, r)
}

func TestInputsIsClosedWhenAllTiersBeforeAreComplete(t *testing.T) {
	r := ready.NewWithOptions(quiet(), "one", "two", "snapshot")
	one, two := r.Tier("one").Signal("a"), r.Tier("two").Signal("b", ready.Eager())
	inputs := r.Tier("snapshot").Snapshot("xds").Inputs()
	two()
	if isClosed(inputs) {
		t.Error("Inputs() is closed with the first tier pending")
	}
	one()
	if !isClosed(inputs) {
		t.Error("Inputs() is not closed with both tiers complete")
	}
	r.Tier("one").Signal("added")
	if isClosed(r.Tier("snapshot").Snapshot("xds").Inputs()) {
		t.Error("Inputs() is closed after a tier before got a new check")
	}
}

// A poll that lags must not make a computation useless: its caller may have no
// reason to come again.
func TestBeginLooksAtBooleanSourcesAtOnce(t *testing.T) {
	for _, row := range []struct {
		name     string
		register func(inputs *ready.Tier, s *readytest.Source)
	}{
		{"a func", func(inputs *ready.Tier, s *readytest.Source) { inputs.Func("a", s.HasSynced) }},
		{"a channel", func(inputs *ready.Tier, s *readytest.Source) { inputs.Chan("a", s.Done()) }},
		{"a DoneChecker", func(inputs *ready.Tier, s *readytest.Source) { inputs.Checker(s) }},
		{"a krt syncer", func(inputs *ready.Tier, s *readytest.Source) { inputs.Syncer("a", s) }},
	} {
		for _, way := range []struct {
			name   string
			report func(r *ready.Registry)
		}{
			{"Begin", func(r *ready.Registry) { r.Tier("snapshot").Snapshot("xds").Begin()() }},
			{"Expect", func(r *ready.Registry) { r.Tier("snapshot").Snapshot("xds").Expect() }},
			{"Signal", func(r *ready.Registry) { r.Tier("snapshot").Signal("xds")() }},
		} {
			t.Run(row.name+" by "+way.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := ready.NewWithOptions(quiet(), "inputs", "krt", "snapshot")
					source, second := readytest.NewSource("a"), readytest.NewSource("b")
					row.register(r.Tier("inputs"), source)
					r.Tier("krt").Func("b", second.HasSynced)
					if way.name != "Signal" {
						r.Tier("snapshot").Snapshot("xds")
					}
					start(t, r)
					time.Sleep(time.Millisecond) // between two polls
					second.Sync()
					source.Sync()
					way.report(r) // in the same instant
					wantOpen(t, r)
				})
			})
		}
	}
}

func TestBeginLooksAtNothingElse(t *testing.T) {
	r, input, s := withSnapshot()
	source := readytest.NewSource("f")
	source.Panic("no")
	r.Tier("inputs").Func("f", source.HasSynced)
	input()
	s.Begin()() // a panic at the look is the poll's to report
	wantShut(t, r)
	source.Sync()
	s.Begin()()
	wantOpen(t, r)
	looks := source.Looks()
	s.Begin()()
	if source.Looks() != looks {
		t.Error("Begin looks at its inputs after they were complete")
	}
}

func TestGroups(t *testing.T) {
	failed := errors.New("no such cluster")
	for _, row := range []struct {
		name    string
		do      func(s *ready.Snapshot)
		open    bool
		message string
	}{
		{"no groups is an answer", func(s *ready.Snapshot) { s.Expect() }, true, ""},
		{"settled groups that nobody named do not count", func(s *ready.Snapshot) { s.Settle("a") }, false,
			"1 groups settled; the groups to wait for are not named yet"},
		{"all named groups must settle", func(s *ready.Snapshot) { s.Expect("b", "a", "c"); s.Settle("c") }, false,
			"1 of 3 groups settled, waits for a, b"},
		{"all named groups settled", func(s *ready.Snapshot) { s.Expect("a", "b"); s.Settle("a"); s.Settle("b") }, true, ""},
		{"a group may settle before it is named", func(s *ready.Snapshot) { s.Settle("a"); s.Expect("a") }, true, ""},
		{"a group named twice is one", func(s *ready.Snapshot) { s.Expect("a", "a"); s.Settle("a") }, true, ""},
		{"another group does not help", func(s *ready.Snapshot) { s.Expect("a"); s.Settle("b") }, false,
			"0 of 1 groups settled, waits for a"},
		{"later names do not add to the first", func(s *ready.Snapshot) { s.Expect("a"); s.Expect("a", "b"); s.Settle("a") }, true, ""},
		{"a group that a later computation does not name is waited for no more", func(s *ready.Snapshot) {
			s.Expect("a", "b")
			s.Settle("a")
			s.Expect("a")
		}, true, ""},
		{"a failure shows before the groups are named", func(s *ready.Snapshot) { s.Fail("a", failed) }, false, "a: "},
		{"no groups is the answer that stays", func(s *ready.Snapshot) { s.Expect(); s.Expect("a") }, true, ""},
		{"a failed group settles and is shown", func(s *ready.Snapshot) { s.Expect("a", "b"); s.Settle("b"); s.Fail("a", failed) }, true,
			"1 of 2 groups failed: a: no such cluster"},
		{"the deferred settle does not hide the failure", func(s *ready.Snapshot) {
			s.Expect("a")
			defer s.Settle("a")
			s.Fail("a", failed)
		}, true, "1 of 1 groups failed: a: no such cluster"},
		{"a group that panics settles", func(s *ready.Snapshot) {
			s.Expect("a")
			defer func() { _ = recover() }()
			defer s.Settle("a")
			panic("while building")
		}, true, ""},
		{"a group that fails after it was stored is shown", func(s *ready.Snapshot) { s.Expect("a"); s.Settle("a"); s.Fail("a", failed) }, true,
			"1 of 1 groups failed: a: no such cluster"},
		{"a failure keeps a pending check pending", func(s *ready.Snapshot) { s.Expect("a", "b"); s.Fail("a", failed) }, false,
			"1 of 2 groups settled, waits for b"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r, input, s := withSnapshot()
			input()
			row.do(s)
			state := ready.Pending
			if row.open {
				state = ready.Synced
			}
			wantState(t, r, "snapshot", "xds", state, row.message)
			wantBits(t, r, row.open, row.open)
		})
	}
}

func TestGroupsBeforeTheInputsDoNotCount(t *testing.T) {
	r, input, s := withSnapshot()
	s.Settle("a")
	s.Fail("b", errors.New("no"))
	s.Expect("a", "b")
	wantState(t, r, "snapshot", "xds", ready.Pending, "groups named before its inputs were complete")
	input()
	s.Expect("a", "b")
	wantState(t, r, "snapshot", "xds", ready.Pending, "0 of 2 groups settled, waits for a, b")
	s.Settle("a")
	s.Settle("b")
	wantOpen(t, r)
	wantState(t, r, "snapshot", "xds", ready.Synced, "")
}

func TestGroupsAreForgottenWhenAnInputIsAdded(t *testing.T) {
	r, input, s := withSnapshot()
	input()
	s.Expect("a", "b")
	s.Settle("a")
	r.Tier("inputs").Signal("added")()
	wantState(t, r, "snapshot", "xds", ready.Pending, "inputs are complete, waits for a snapshot computed after them")
	s.Settle("b")
	wantShut(t, r)
	s.Expect("b") // a is no group any more
	wantOpen(t, r)
}

func TestALongListOfGroupsIsCut(t *testing.T) {
	r, input, s := withSnapshot()
	input()
	var groups []string
	for i := range 15 {
		groups = append(groups, fmt.Sprintf("g%02d", i))
	}
	s.Expect(groups...)
	wantText(t, "Err()", r.Err().Error(), "0 of 15 groups settled, waits for g00, g01", "g09 and 5 more")
}

// A backlog counts from the turn that is now: what came in since an earlier
// turn must be worked in too.
func TestBacklogCountsFromItsOwnTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready.NewWithOptions(quiet(), "inputs", "krt", "snapshot")
		r.Tier("inputs").Signal("a")()
		var inbound, committed atomic.Int64
		inbound.Store(3)
		committed.Store(2)
		r.Tier("krt").Backlog("b", inbound.Load, committed.Load)
		s := r.Tier("snapshot").Snapshot("xds")
		start(t, r)
		wantState(t, r, "krt", "b", ready.Pending, "")

		added := r.Tier("inputs").Signal("added")
		inbound.Store(10)
		committed.Store(5) // the first turn waited for 3
		added()
		s.Begin()()
		wantShut(t, r)
		synctest.Wait()
		s.Begin()()
		wantState(t, r, "krt", "b", ready.Pending, "")
		wantShut(t, r)

		inbound.Store(12) // what comes in after the turn is not waited for
		committed.Store(10)
		time.Sleep(5 * time.Millisecond)
		synctest.Wait()
		wantState(t, r, "krt", "b", ready.Synced, "")
	})
}

func TestBacklogOfNothingIsSyncedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready.NewWithOptions(quiet(), "krt")
		none := func() int64 { return 0 }
		r.Tier("krt").Backlog("b", none, none)
		start(t, r)
		wantOpen(t, r)
	})
}

// After a computation has begun nothing needs to be asked for any more, until an
// input is added: then a loop that takes Inputs anew is woken again.
func TestInputsAfterAComputation(t *testing.T) {
	r := ready.NewWithOptions(quiet(), "inputs", "snapshot")
	signal := r.Tier("inputs").Signal("a")
	s := r.Tier("snapshot").Snapshot("xds")
	s.Begin() // too early: changes nothing
	signal()
	<-s.Inputs()
	stored := s.Begin()
	if s.Inputs() != nil {
		t.Error("Inputs after Begin is not nil")
	}
	added := r.Tier("inputs").Signal("b")
	stored() // computed without b
	wantShut(t, r)
	select {
	case <-s.Inputs():
		t.Fatal("Inputs is closed before the added input has reported")
	default:
	}
	added()
	<-s.Inputs()
	s.Begin()()
	wantOpen(t, r)
}
