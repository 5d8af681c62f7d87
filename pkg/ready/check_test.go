package ready_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/xdsready/xdsready/pkg/ready"
	"github.com/xdsready/xdsready/pkg/ready/readytest"
)

func TestWaitIsTriedAgainWithJitteredBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready.NewWithOptions(quiet(), "inputs")
		var calls []time.Time
		r.Tier("inputs").Wait("a", func(context.Context) error {
			calls = append(calls, time.Now())
			if len(calls) == 12 {
				return nil
			}
			return errors.New("forbidden")
		})
		start(t, r)
		wantState(t, r, "inputs", "a", ready.Failed, "forbidden")
		<-r.Opened()
		wantState(t, r, "inputs", "a", ready.Synced, "")
		jittered := false
		for i, step := 1, 100*time.Millisecond; i < len(calls); i, step = i+1, min(2*step, 10*time.Second) {
			got := calls[i].Sub(calls[i-1])
			if got < step/2 || got >= step*3/2 {
				t.Errorf("try %d came after %v, want %v ± 50 %%", i+1, got, step)
			}
			jittered = jittered || got != step
		}
		if !jittered {
			t.Error("no try was jittered: all replicas would ask in step")
		}
	})
}

func TestFuncIsPolledEvery5ms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready.NewWithOptions(quiet(), "inputs")
		s := readytest.NewSource("a")
		r.Tier("inputs").Func("a", s.HasSynced)
		start(t, r)
		time.Sleep(time.Second)
		synctest.Wait()
		if got := s.Looks(); got != 201 {
			t.Errorf("HasSynced was called %d times in 1 s, want at once and every 5 ms: 201", got)
		}
		s.Sync()
		time.Sleep(5 * time.Millisecond)
		synctest.Wait()
		wantOpen(t, r)
		looks := s.Looks()
		time.Sleep(time.Second)
		if s.Looks() != looks {
			t.Error("a synced source is still polled")
		}
	})
}

// Opening follows the signal of a source that blocks or has a channel in the
// same instant, through any number of tiers and checks.
func TestOpeningFollowsTheSignalAtOnce(t *testing.T) {
	for _, row := range []struct {
		name     string
		register func(tier *ready.Tier, s *readytest.Source)
	}{
		{"a channel", func(tier *ready.Tier, s *readytest.Source) { tier.Chan("a", s.Done()) }},
		{"a DoneChecker", func(tier *ready.Tier, s *readytest.Source) { tier.Checker(s) }},
		{"a krt syncer", func(tier *ready.Tier, s *readytest.Source) { tier.Syncer("a", s) }},
		{"a cache", func(tier *ready.Tier, s *readytest.Source) { tier.Cache("a", s) }},
		{"a wait", func(tier *ready.Tier, s *readytest.Source) { tier.Wait("a", s.Wait) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := ready.NewWithOptions(quiet(), "one", "two", "three")
				source := readytest.NewSource("a")
				for range 200 {
					row.register(r.Tier("one"), source)
				}
				row.register(r.Tier("two"), source)
				s := r.Tier("three").Snapshot("xds")
				go func() {
					<-s.Inputs()
					s.Begin()()
				}()
				start(t, r)
				time.Sleep(1234 * time.Microsecond)
				wantShut(t, r)
				began := time.Now()
				source.Sync()
				<-r.Opened()
				if took := time.Since(began); took != 0 {
					t.Errorf("the gate opened %v after the signal, want at once", took)
				}
			})
		})
	}
}

func TestSourcesThatGiveUpSayWhatTheyAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready.NewWithOptions(quiet(), "inputs")
		s := readytest.NewSource("s")
		s.Fail(errors.New("not shown: a krt collection and a cache only say false"))
		r.Tier("inputs").Syncer("krt", s).Cache("cache", s)
		start(t, r)
		wantState(t, r, "inputs", "krt", ready.Failed, "the collection stopped before it had synced")
		wantState(t, r, "inputs", "cache", ready.Failed, "the cache did not sync: it is not started, or has stopped")
	})
}

// A panic in whatever the registry calls is a failed check with its message,
// and is tried again.
func TestPanicIsAFailedCheck(t *testing.T) {
	counter := func(s *readytest.Source) func() int64 {
		return func() int64 { s.HasSynced(); return 0 }
	}
	none := func() int64 { return 0 }
	for _, row := range []struct {
		name     string
		register func(tier *ready.Tier, s *readytest.Source)
	}{
		{"Wait", func(tier *ready.Tier, s *readytest.Source) { tier.Wait("a", s.Wait) }},
		{"Func", func(tier *ready.Tier, s *readytest.Source) { tier.Func("a", s.HasSynced) }},
		{"Syncer", func(tier *ready.Tier, s *readytest.Source) { tier.Syncer("a", s) }},
		{"Cache", func(tier *ready.Tier, s *readytest.Source) { tier.Cache("a", s) }},
		{"Backlog's inbound", func(tier *ready.Tier, s *readytest.Source) { tier.Backlog("a", counter(s), none) }},
		{"Backlog's committed", func(tier *ready.Tier, s *readytest.Source) { tier.Backlog("a", none, counter(s)) }},
		{"Live", func(tier *ready.Tier, s *readytest.Source) { tier.Live("a", s.Wait, ready.LiveOptions{}) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := ready.NewWithOptions(quiet(), "inputs")
				s := readytest.NewSource("s")
				s.Panic("index out of range")
				row.register(r.Tier("inputs"), s)
				start(t, r)
				wantState(t, r, "inputs", "a", ready.Failed, "panic: index out of range")
				wantShut(t, r)
				s.Sync()
				<-r.Opened()
			})
		})
	}
}

// Listed is foreign code too: it must neither kill the process nor fail in
// silence.
func TestPanicOfListedIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready.NewWithOptions(quiet(), "inputs")
		s := readytest.NewSource("s")
		r.Tier("inputs").Chan("a", s.Done(), ready.Listed(func() bool { panic("no informer") }))
		start(t, r)
		wantText(t, "the check's message", check(t, r, "inputs", "a").Message, "panic: no informer")
		s.Sync()
		<-r.Opened()
	})
}

// Without a function there is nothing to wait for: the check says so instead of
// being pending for ever without a reason.
func TestNilSourceFailsWithAReason(t *testing.T) {
	for _, row := range []struct {
		name     string
		register func(tier *ready.Tier)
	}{
		{"Wait", func(tier *ready.Tier) { tier.Wait("a", nil) }},
		{"Func", func(tier *ready.Tier) { tier.Func("a", nil) }},
		{"Backlog", func(tier *ready.Tier) { tier.Backlog("a", nil, nil) }},
		{"Live", func(tier *ready.Tier) { tier.Live("a", nil, ready.LiveOptions{}) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := ready.NewWithOptions(quiet(), "inputs")
				row.register(r.Tier("inputs"))
				start(t, r)
				wantShut(t, r)
				if got := check(t, r, "inputs", "a"); got.State != ready.Failed || got.Message == "" {
					t.Errorf("the check is %s (%q), want failed with a reason", got.State, got.Message)
				}
			})
		})
	}
}

func TestOptionalIsSkippedAtItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready.NewWithOptions(quiet(), "first", "remote")
		first := r.Tier("first").Signal("a")
		s := readytest.NewSource("b")
		r.Tier("remote").Chan("b", s.Done(), ready.Optional(time.Minute)).
			Wait("c", func(context.Context) error { return errors.New("no route to host") }, ready.Optional(time.Second))
		start(t, r)
		time.Sleep(time.Hour) // its turn has not come
		first()
		time.Sleep(time.Minute - time.Nanosecond)
		wantState(t, r, "remote", "b", ready.Pending, "")
		wantState(t, r, "remote", "c", ready.Skipped, "optional: gave up after 1s")
		wantShut(t, r)
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		wantState(t, r, "remote", "b", ready.Skipped, "optional: gave up after 1m0s")
		wantOpen(t, r)
		wantText(t, "/readyz?verbose", get(r, "/readyz?verbose").Body.String(), "[+]remote/b skipped: optional: gave up after 1m0s\n")

		r.Tier("remote").Fail("b", errors.New("still away"))
		wantState(t, r, "remote", "b", ready.Skipped, "gave up")
		s.Sync()
		synctest.Wait()
		wantState(t, r, "remote", "b", ready.Synced, "")
	})
}

func TestOptionalOfAnEagerCheckCountsFromRegistration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready.NewWithOptions(quiet(), "first", "remote")
		r.Tier("first").Signal("a")
		r.Tier("remote").Signal("b", ready.Eager(), ready.Optional(time.Minute))
		start(t, r)
		time.Sleep(time.Minute)
		synctest.Wait()
		wantState(t, r, "remote", "b", ready.Skipped, "gave up")
	})
}

func TestOptionalWithoutTimeIsSkippedAtOnce(t *testing.T) {
	for _, deadline := range []time.Duration{0, -time.Second} {
		synctest.Test(t, func(t *testing.T) {
			r := ready.NewWithOptions(quiet(), "remote")
			r.Tier("remote").Signal("a", ready.Optional(deadline))
			start(t, r)
			time.Sleep(time.Nanosecond)
			synctest.Wait()
			wantState(t, r, "remote", "a", ready.Skipped, "gave up")
		})
	}
}

func TestListedSaysThatTheHandlerIsNotDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready.NewWithOptions(quiet(), "inputs")
		s := readytest.NewSource("s")
		var listed atomic.Bool
		r.Tier("inputs").Chan("a", s.Done(), ready.Listed(listed.Load))
		start(t, r)
		wantState(t, r, "inputs", "a", ready.Pending, "")
		listed.Store(true)
		time.Sleep(5 * time.Millisecond)
		synctest.Wait()
		wantState(t, r, "inputs", "a", ready.Pending, "listed, handler not done")
		for what, text := range map[string]string{
			"Err()":           r.Err().Error(),
			"AdmissionErr()":  r.AdmissionErr().Error(),
			"/readyz":         get(r, "/readyz").Body.String(),
			"/readyz?verbose": get(r, "/readyz?verbose").Body.String(),
		} {
			wantText(t, what, text, "listed, handler not done")
		}
		s.Sync()
		synctest.Wait()
		wantState(t, r, "inputs", "a", ready.Synced, "")
		wantOpen(t, r)
	})
}

func TestListedDoesNotHideAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready.NewWithOptions(quiet(), "inputs")
		r.Tier("inputs").Signal("a", ready.Listed(func() bool { return true }))
		start(t, r)
		r.Tier("inputs").Fail("a", errors.New("forbidden"))
		time.Sleep(time.Second)
		synctest.Wait()
		wantState(t, r, "inputs", "a", ready.Failed, "forbidden")
	})
}

// Err, /readyz and the text of a refused stream are one line of bounded length,
// whatever the error says.
func TestMessagesAreOneBoundedLine(t *testing.T) {
	r := ready.NewWithOptions(quiet(), "inputs")
	r.Tier("inputs").Signal("a")
	const lines = "second\r\nthird\n"
	r.Tier("inputs").Fail("a", errors.Join(errors.New("first"), errors.New(lines)))
	wantState(t, r, "inputs", "a", ready.Failed, "first; second; third")
	for what, text := range map[string]string{
		"Err()":          r.Err().Error(),
		"AdmissionErr()": r.AdmissionErr().Error(),
		"/readyz":        strings.TrimSuffix(get(r, "/readyz").Body.String(), "\n"),
	} {
		if strings.ContainsAny(text, "\r\n") {
			t.Errorf("%s is not one line: %q", what, text)
		}
	}
	r.Tier("inputs").Fail("a", errors.New("x"+strings.Repeat("ä", 5000))) // the cut is inside a rune
	if got := check(t, r, "inputs", "a").Message; len(got) > 2100 || !strings.HasSuffix(got, "ä…") || !utf8.ValidString(got) {
		t.Errorf("a message of 10,000 bytes is shown with %d, ending in %q", len(got), got[len(got)-8:])
	}
}
