package ready_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/xdsready/xdsready/pkg/ready"
	"github.com/xdsready/xdsready/pkg/ready/readytest"
)

// What a later tier reports before the tiers before it are complete does not
// count: it was not computed after its inputs.
func TestEarlyReportDoesNotCount(t *testing.T) {
	for _, row := range []struct {
		name string
		// report returns how to report a check of the second tier.
		report func(second *ready.Tier) (report func())
	}{
		{"a signal", func(second *ready.Tier) func() { return second.Signal("late") }},
		{"a stored snapshot", func(second *ready.Tier) func() {
			s := second.Snapshot("late")
			return func() { s.Begin()() }
		}},
		{"a snapshot whose groups are named and settled", func(second *ready.Tier) func() {
			s := second.Snapshot("late")
			return func() { s.Expect("a"); s.Settle("a") }
		}},
		{"a snapshot that has no groups", func(second *ready.Tier) func() {
			s := second.Snapshot("late")
			return func() { s.Expect() }
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := ready.NewWithOptions(quiet(), "first", "second")
			first := r.Tier("first").Signal("early")
			report := row.report(r.Tier("second"))
			report()
			wantState(t, r, "second", "late", ready.Pending, "before")
			first()
			wantShut(t, r)
			if s := check(t, r, "second", "late").State; s == ready.Synced {
				t.Error("the early report was remembered")
			}
			report()
			wantOpen(t, r)
		})
	}
}

func TestEarlySignalSaysSo(t *testing.T) {
	r := ready.NewWithOptions(quiet(), "first", "second")
	r.Tier("first").Signal("a")
	r.Tier("second").Signal("b")()
	wantState(t, r, "second", "b", ready.Pending, "reported before the tiers before it were complete; report again")
}

func TestWaitIsCalledWhenItsTurnComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready.NewWithOptions(quiet(), "first", "second")
		turn := r.Tier("first").Signal("a")
		late, eager := readytest.NewSource("late"), readytest.NewSource("eager")
		r.Tier("second").Wait("late", late.Wait).Wait("eager", eager.Wait, ready.Eager())
		start(t, r)
		if late.Waits() != 0 || eager.Waits() != 1 {
			t.Errorf("before the turn: %d waits for the check, %d for the eager one; want 0, 1", late.Waits(), eager.Waits())
		}
		turn()
		synctest.Wait()
		if late.Waits() != 1 || eager.Waits() != 1 {
			t.Errorf("after the turn: %d waits for the check, %d for the eager one; want 1, 1", late.Waits(), eager.Waits())
		}
	})
}

func TestFuncIsNotPolledBeforeItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready.NewWithOptions(quiet(), "first", "second")
		r.Tier("first").Signal("a")
		s := readytest.NewSource("s")
		r.Tier("second").Func("b", s.HasSynced)
		start(t, r)
		time.Sleep(time.Minute)
		if s.Looks() != 0 {
			t.Errorf("HasSynced was called %d times before its tier's turn", s.Looks())
		}
	})
}

func TestEagerReportCountsLater(t *testing.T) {
	r := ready.NewWithOptions(quiet(), "first", "second")
	first := r.Tier("first").Signal("a")
	r.Tier("second").Signal("b", ready.Eager())()
	wantState(t, r, "second", "b", ready.Synced, "")
	wantShut(t, r)
	if s := tier(t, r, "second").State; s != ready.Pending {
		t.Errorf("tier second is %s before first is complete, want pending", s)
	}
	first()
	wantOpen(t, r)
}

func TestTierWithoutChecksIsRed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready.NewWithOptions(quiet(), "inputs", "krt", "snapshot")
		r.Tier("inputs").Signal("a")()
		r.Tier("snapshot").Signal("b", ready.Eager())()
		start(t, r)
		time.Sleep(time.Hour)
		wantShut(t, r)
		for _, text := range []string{r.Err().Error(), r.AdmissionErr().Error(), get(r, "/readyz").Body.String()} {
			wantText(t, "the answer for a forgotten tier", text, "krt: nothing registered")
		}
		wantText(t, "/readyz?verbose", get(r, "/readyz?verbose").Body.String(), "[-]krt pending: nothing registered\n")
	})
}

// A typing error must not open the gate without the check.
func TestUnknownTierNameKeepsTheGateShut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready.NewWithOptions(quiet(), "inputs", "snapshot")
		typo := r.Tier("input")
		typo.Chan("a", readytest.NewSource("a").Done())
		if r.Tier("input") != typo {
			t.Error("Tier returns another tier at the second call")
		}
		r.Tier("inputs").Signal("b")()
		r.Tier("snapshot").Signal("c")()
		start(t, r)
		wantShut(t, r)
		got := tier(t, r, "input")
		if want := "unknown tier: the registry was made with inputs, snapshot"; got.State != ready.Failed || got.Message != want {
			t.Errorf("the tier is %s (%q), want failed (%q)", got.State, got.Message, want)
		}
		wantText(t, "Err()", r.Err().Error(), "input: unknown tier: the registry was made with inputs, snapshot")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := typo.Await(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Await of the unknown tier = %v, want the end of its context", err)
		}
	})
}

func TestUnknownTierStaysShutWhenItsChecksAreSynced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready.NewWithOptions(quiet(), "inputs")
		r.Tier("typo").Signal("a", ready.Eager())()
		r.Tier("inputs").Signal("b")()
		start(t, r)
		wantState(t, r, "typo", "a", ready.Synced, "")
		wantShut(t, r)
	})
}

func TestUnknownTierAfterOpeningIsLate(t *testing.T) {
	r := open()
	typo := r.Tier("typo")
	typo.Signal("a")
	if got := tier(t, r, "typo"); got.State != ready.Late || got.Message != "asked for after opening: it never gates" {
		t.Errorf("the tier is %s (%q), want late", got.State, got.Message)
	}
	wantOpen(t, r)
}

func TestCheckRegisteredAfterOpeningIsLate(t *testing.T) {
	r := open()
	late := r.Tier("inputs")
	signal := late.Signal("signal")
	late.Wait("wait", func(context.Context) error { return errors.New("never called") })
	late.Live("live", func(context.Context) error { return errors.New("never called") }, ready.LiveOptions{})
	snapshot := late.Snapshot("snapshot")
	for _, name := range []string{"signal", "wait", "live", "snapshot"} {
		wantState(t, r, "inputs", name, ready.Late, "registered after opening: it never gates")
	}
	signal()
	snapshot.Begin()()
	snapshot.Expect("a")
	snapshot.Fail("a", errors.New("no"))
	late.Fail("signal", errors.New("no"))
	for _, name := range []string{"signal", "snapshot"} {
		wantState(t, r, "inputs", name, ready.Late, "registered after opening: it never gates")
	}
	wantOpen(t, r)
	wantText(t, "/readyz?verbose", get(r, "/readyz?verbose").Body.String(), "[+]inputs/signal late: registered after opening")
}

// A check that is added to a complete tier while the gate is shut gates, and
// what later tiers reported was computed without it.
func TestCheckAddedToACompleteTier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready.NewWithOptions(quiet(), "inputs", "krt", "snapshot")
		inputs, krt, snapshot := r.Tier("inputs"), r.Tier("krt"), r.Tier("snapshot")
		inputs.Signal("a")()
		b := krt.Signal("b")
		b()
		krt.Signal("of its own", ready.Eager())()
		snapshot.Signal("c")
		start(t, r)
		if s := tier(t, r, "krt").State; s != ready.Synced {
			t.Fatalf("tier krt is %s, want synced", s)
		}

		more := inputs.Signal("added")
		for _, name := range []string{"inputs", "krt"} {
			if s := tier(t, r, name).State; s != ready.Pending {
				t.Errorf("tier %s is %s after a check was added, want pending", name, s)
			}
		}
		wantState(t, r, "inputs", "a", ready.Synced, "")
		wantState(t, r, "krt", "b", ready.Pending, "waits for inputs")
		wantState(t, r, "krt", "of its own", ready.Synced, "")

		b() // too early again
		more()
		wantState(t, r, "krt", "b", ready.Pending, "report again")
		b()
		if s := tier(t, r, "krt").State; s != ready.Synced {
			t.Errorf("tier krt is %s after its check reported again, want synced", s)
		}
	})
}

// A wait that was under way for an earlier round is cancelled, and what it says
// does not count.
func TestAddedCheckStartsLaterWaitsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready.NewWithOptions(quiet(), "inputs", "krt")
		r.Tier("inputs").Signal("a")()
		calls, cancelled := 0, make(chan struct{})
		finish := make(chan struct{})
		r.Tier("krt").Wait("b", func(ctx context.Context) error {
			calls++
			if calls == 1 {
				<-ctx.Done()
				close(cancelled)
				return nil // says synced, too late
			}
			<-finish
			return nil
		})
		start(t, r)
		added := r.Tier("inputs").Signal("added")
		<-cancelled
		synctest.Wait()
		wantState(t, r, "krt", "b", ready.Pending, "waits for inputs")
		added()
		synctest.Wait()
		wantShut(t, r)
		if calls != 2 {
			t.Errorf("the wait was called %d times, want again after its inputs were complete again", calls)
		}
		close(finish)
		synctest.Wait()
		wantOpen(t, r)
	})
}

func TestTwoChecksOfOneNameBothGate(t *testing.T) {
	r := ready.NewWithOptions(quiet(), "inputs")
	var signals []func()
	for range 3 {
		signals = append(signals, r.Tier("inputs").Signal("a"))
	}
	for i, name := range []string{"a", "a (2)", "a (3)"} {
		wantShut(t, r)
		wantState(t, r, "inputs", name, ready.Pending, "")
		signals[i]()
		wantState(t, r, "inputs", name, ready.Synced, "")
	}
	wantOpen(t, r)
}

func TestFailSaysWhyACheckIsNotSynced(t *testing.T) {
	r := ready.NewWithOptions(quiet(), "inputs")
	inputs := r.Tier("inputs")
	a := inputs.Signal("a")
	inputs.Fail("a", errors.New("forbidden"))
	wantState(t, r, "inputs", "a", ready.Failed, "forbidden")
	wantText(t, "Err()", r.Err().Error(), "inputs: a failed (forbidden)")
	inputs.Fail("a", nil)
	wantState(t, r, "inputs", "a", ready.Failed, "forbidden")
	inputs.Fail("no such check", errors.New("nothing"))
	a()
	wantState(t, r, "inputs", "a", ready.Synced, "")
	inputs.Fail("a", errors.New("too late"))
	wantState(t, r, "inputs", "a", ready.Synced, "")
	wantOpen(t, r)
}

func TestAwait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready.NewWithOptions(quiet(), "first", "second")
		a, b := r.Tier("first").Signal("a"), r.Tier("second").Signal("b", ready.Eager())
		b()
		first, second := make(chan error, 1), make(chan error, 1)
		go func() { first <- r.Tier("first").Await(t.Context()) }()
		go func() { second <- r.Tier("second").Await(t.Context()) }()
		synctest.Wait()
		if len(first)+len(second) != 0 {
			t.Fatal("Await returned before its tier was complete")
		}
		a()
		if err := errors.Join(<-first, <-second); err != nil {
			t.Errorf("Await of complete tiers: %v", err)
		}
	})
}

func TestAwaitEndsWithItsContext(t *testing.T) {
	r := ready.NewWithOptions(quiet(), "first")
	r.Tier("first").Signal("a")
	cause := errors.New("the program ends")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	err := r.Tier("first").Await(ctx)
	if !errors.Is(err, cause) {
		t.Fatalf("Await = %v, want the cause %v", err, cause)
	}
	wantText(t, "Await's error", err.Error(), "tier first", "a pending")
}

// A complete tier is complete, also for a caller whose context has ended.
func TestAwaitOfACompleteTierWithAnEndedContext(t *testing.T) {
	r := open()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 { // a select of two that are ready takes either
		if err := r.Tier("inputs").Await(ctx); err != nil {
			t.Fatalf("Await = %v, want nil", err)
		}
	}
}

// A tier that is asked for after opening never gates, so nothing waits for it.
func TestAwaitOfATierAskedForAfterOpening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		late := open().Tier("typo")
		late.Signal("a")
		if err := late.Await(ctx); err != nil {
			t.Errorf("Await = %v, want nil", err)
		}
	})
}
