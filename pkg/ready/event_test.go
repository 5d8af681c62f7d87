package ready_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/xdsready/xdsready/pkg/ready"
)

// story makes one run that has every kind of transition: a report that comes
// too early, a failure, a missed deadline, a skipped and an added check, the
// opening, a late check, a degraded time and a drain.
func story(t *testing.T, options ready.Options) {
	t.Helper()
	options.Deadline = 2 * time.Second
	r := ready.NewWithOptions(options)
	inputs := r.Tier("inputs")
	var p probe
	inputs.Live("xds", p.ask, ready.LiveOptions{Interval: time.Second})
	pods := inputs.Signal("pods")
	inputs.Chan("remote", nil, ready.Optional(time.Second))
	s := r.Tier("snapshot").Snapshot("xds")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	drained := r.WithDrain(ctx, 5*time.Second)
	ended := make(chan error, 1)
	go func() { ended <- r.Start(drained) }()
	synctest.Wait()
	s.Begin()()
	inputs.Fail("pods", errForbidden)
	inputs.Fail("pods", errForbidden) // the same again is no news
	time.Sleep(3 * time.Second)
	synctest.Wait()
	pods()
	pods()
	added := inputs.Signal("services")
	time.Sleep(time.Second)
	added()
	s.Begin()()
	inputs.Signal("secrets")
	time.Sleep(10 * time.Millisecond)
	p.set(errors.New("queue is stuck"))
	time.Sleep(3 * time.Second)
	p.set(nil)
	time.Sleep(3 * time.Second)
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Start = %v, want nil", err)
	}
}

func TestLogLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		story(t, ready.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		golden(t, "log.txt", "the log of one run: one line for each transition, with its reason", log.String())
	})
}

func TestEventsComeInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines strings.Builder
		var last time.Time
		options := quiet()
		options.OnEvent = func(e ready.Event) {
			if e.Time.Before(last) || e.Time.IsZero() {
				t.Errorf("event at %v after one at %v", e.Time, last)
			}
			last = e.Time
			fmt.Fprintf(&lines, "%s %s/%s %q -> %q after %v: %s\n", e.Kind, e.Tier, e.Check, e.From, e.To, e.Elapsed, e.Reason)
		}
		story(t, options)
		golden(t, "events.txt", "the events of one run, in the order in which they happened", lines.String())
	})
}

// The hook runs with no lock held: it may ask and report, and what it causes is
// told after what it is being told.
func TestEventHookMayCallTheRegistry(t *testing.T) {
	var told []string
	var r *ready.Registry
	var second func()
	options := quiet()
	options.OnEvent = func(e ready.Event) {
		_, _ = r.Status(), r.Err()
		if e.Check == "first" {
			second()
		}
		told = append(told, fmt.Sprintf("%s %s%s", e.Kind, e.Check, e.To))
	}
	r = ready.NewWithOptions(options, "inputs")
	first := r.Tier("inputs").Signal("first")
	second = r.Tier("inputs").Signal("second")
	first()
	want := []string{"check firstsynced", "check secondsynced", "tier synced", "phase ready"}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// A hook that panics is logged, and neither the reporter nor later events
// notice.
func TestEventHookThatPanics(t *testing.T) {
	var told []string
	var log bytes.Buffer
	r := ready.NewWithOptions(ready.Options{
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
		OnEvent: func(e ready.Event) {
			told = append(told, fmt.Sprintf("%s %s%s", e.Kind, e.Check, e.To))
			if e.Check == "first" {
				panic("in the hook")
			}
		},
	}, "inputs")
	first, second := r.Tier("inputs").Signal("first"), r.Tier("inputs").Signal("second")
	first()
	second()
	want := []string{"check firstsynced", "check secondsynced", "tier synced", "phase ready"}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	wantText(t, "the log", log.String(), `level=ERROR msg="the readiness event hook failed" error="panic: in the hook"`)
}

// Events of many goroutines are delivered one at a time and none is lost.
func TestEventsOfManyGoroutines(t *testing.T) {
	const checks = 50
	var busy sync.Mutex
	count := map[ready.EventKind]int{}
	options := quiet()
	options.OnEvent = func(e ready.Event) {
		if !busy.TryLock() {
			t.Error("two events are delivered at once")
			return
		}
		count[e.Kind]++
		busy.Unlock()
	}
	r := ready.NewWithOptions(options, "inputs")
	var signals []func()
	for i := range checks {
		signals = append(signals, r.Tier("inputs").Signal(fmt.Sprint(i)))
	}
	var reporting sync.WaitGroup
	for _, signal := range signals {
		reporting.Go(signal)
	}
	reporting.Wait()
	want := map[ready.EventKind]int{ready.EventCheck: checks, ready.EventTier: 1, ready.EventPhase: 1}
	if diff := cmp.Diff(want, count); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestChangedIsClosedAtTheNextChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready.NewWithOptions(quiet(), "inputs")
		var p probe
		var signal, late func()
		var stop func() error
		for _, step := range []struct {
			name string
			do   func()
		}{
			{"a check is registered", func() { signal = r.Tier("inputs").Signal("a") }},
			{"a check fails", func() { r.Tier("inputs").Fail("a", errForbidden) }},
			{"a live check is registered", func() {
				r.Tier("inputs").Live("b", p.ask, ready.LiveOptions{Interval: time.Second, FailureThreshold: 1})
			}},
			{"the run starts", func() { stop = start(t, r) }},
			{"the last check reports", func() { signal() }},
			{"a check is late", func() { late = r.Tier("inputs").Signal("late") }},
			{"a live check fails", func() { p.set(errForbidden); after(1, time.Second) }},
			{"a tier is asked for late", func() { r.Tier("typo") }},
			{"the run ends", func() { _ = stop() }},
		} {
			changed := r.Changed()
			step.do()
			if !isClosed(changed) {
				t.Errorf("Changed() is not closed when %s", step.name)
			}
		}
		changed := r.Changed()
		late()
		signal()
		if isClosed(changed) {
			t.Error("Changed() is closed by reports that change nothing")
		}
	})
}
