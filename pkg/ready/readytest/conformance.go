package readytest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/xdsready/xdsready/pkg/ready"
)

// Limit is how long Conformance waits for anything that must happen. In a
// synctest bubble it is fake time.
const Limit = 20 * time.Second

// Rig is what an adapter brings to Conformance: how to make one source of its
// kind, register it as a check, and steer it. Only Register is required.
type Rig struct {
	// Register makes a fresh source that is not synced, registers it in tier
	// under the given name, and returns how to steer it. What it starts must
	// end with the test (t.Cleanup, t.Context).
	Register func(t *testing.T, tier *ready.Tier, name string) Steer
	// Name is the check's name where the source brings its own. Empty means
	// the name that Register is given.
	Name string
	// Bubble runs each part of the suite in a synctest bubble: exact and fast.
	// Leave it false for sources that use the network or goroutines of before.
	Bubble bool
	// Reported says that the source is reported by hand (a signal, a snapshot):
	// what it reports before its turn is lost and must be reported again. False
	// means that the source keeps its state: once synced it stays synced, and
	// the check sees it when its turn comes.
	Reported bool
}

// Steer moves one source.
type Steer struct {
	// Sync makes the source synced, or reports it. Required.
	Sync func()
	// Fail makes the source fail while it is pending, with that error's text to
	// be shown. Nil means that this kind of source cannot fail.
	Fail func(err error)
	// Panic makes foreign code that the registry calls panic with v, until
	// Sync. Nil means that the registry calls no foreign code of this source.
	Panic func(v any)
}

// Conformance checks what every kind of check source must do:
//
//   - it is pending and keeps the gate shut until it syncs, and opens it then;
//   - its wait starts at its tier's turn, and what it reports earlier does not
//     count: it is never synced before the tiers before it are complete;
//   - the text of its error is shown by Status, Err and /readyz, and it can
//     still sync afterwards;
//   - a panic is a failed check with the panic's text, and it can still sync;
//   - it ends with the registry's context, pending or synced, and leaves no
//     goroutine behind.
func Conformance(t *testing.T, rig Rig) {
	t.Helper()
	for _, part := range []struct {
		name string
		run  func(*testing.T, Rig)
	}{
		{"opens the gate when it has synced, not before", testOpens},
		{"synced before the start is seen at its turn", testSyncedBeforeStart},
		{"what is reported before its turn does not count", testEarly},
		{"shows the text of its error and syncs after it", testFails},
		{"a panic is a failed check and it syncs after it", testPanics},
		{"ends with the context while pending", testEndsPending},
		{"ends with the context when synced", testEndsSynced},
		{"as nil tier it does nothing", testNilTier},
	} {
		t.Run(part.name, func(t *testing.T) {
			if rig.Bubble {
				synctest.Test(t, func(t *testing.T) { part.run(t, rig) })
				return
			}
			part.run(t, rig)
		})
	}
}

// subject is the name of the check under test.
const subject = "subject"

// bench is one registry with the source under test in its second tier.
type bench struct {
	rig      Rig
	steer    Steer
	registry *ready.Registry
	first    func() // completes the tier before
	ended    chan error
	label    string
	cancel   context.CancelFunc

	mu     sync.Mutex // guards events
	events []ready.Event
}

// newBench makes the registry and registers the source.
func newBench(t *testing.T, rig Rig) *bench {
	t.Helper()
	b := &bench{rig: rig, label: t.Name(), ended: make(chan error, 1)}
	b.registry = ready.NewWithOptions(ready.Options{OnEvent: b.event, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}, "first", "second")
	b.first = b.registry.Tier("first").Signal("before")
	b.steer = rig.Register(t, b.registry.Tier("second"), subject)
	return b
}

// start starts the registry under a profiler label, which its goroutines and
// those of the sources it calls inherit.
func (b *bench) start(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	b.cancel = cancel
	t.Cleanup(cancel)
	go pprof.Do(ctx, pprof.Labels("readytest", b.label), func(ctx context.Context) {
		b.ended <- b.registry.Start(ctx)
	})
}

func (b *bench) event(e ready.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.events = append(b.events, e)
}

func (b *bench) name() string {
	if b.rig.Name != "" {
		return b.rig.Name
	}
	return subject
}

// check returns the status of the check under test.
func (b *bench) check(t *testing.T) ready.CheckStatus {
	t.Helper()
	for _, tier := range b.registry.Status().Tiers {
		for _, c := range tier.Checks {
			if tier.Name == "second" && c.Name == b.name() {
				return c
			}
		}
	}
	t.Fatalf("the rig registered no check %q: %+v", b.name(), b.registry.Status())
	return ready.CheckStatus{}
}

// until waits for a condition on the status.
func (b *bench) until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Limit)
	defer cancel()
	for {
		changed := b.registry.Changed()
		if holds() {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("not within %v: %s; Err: %v; status: %+v", Limit, what, b.registry.Err(), b.registry.Status())
		}
	}
}

// untilOpen waits for the gate.
func (b *bench) untilOpen(t *testing.T) {
	t.Helper()
	b.until(t, "the gate opens", b.registry.Open)
	if c := b.check(t); c.State != ready.Synced {
		t.Errorf("the gate is open and the check is %s (%q), want synced", c.State, c.Message)
	}
}

// turn completes the tier before and waits until the source has its turn.
func (b *bench) turn(t *testing.T) {
	t.Helper()
	b.first()
	b.until(t, "the first tier is complete", func() bool {
		return b.registry.Status().Tiers[0].State == ready.Synced
	})
}

// stop ends the run and checks that nothing is left of it.
func (b *bench) stop(t *testing.T) {
	t.Helper()
	b.cancel()
	select {
	case err := <-b.ended:
		if err != nil {
			t.Errorf("Start returned %v, want nil", err)
		}
	case <-time.After(Limit):
		t.Fatalf("Start did not return within %v of the end of its context: the wait ignores it", Limit)
	}
	var left string
	for range 1000 { // a goroutine may still be on its last instructions
		if left = labelled(b.label); left == "" {
			return
		}
		runtime.Gosched()
	}
	t.Errorf("goroutines are left after Start returned:\n%s", left)
}

// labelled returns the goroutines that carry the label, with their stacks.
func labelled(label string) string {
	var profile bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		return fmt.Sprintf("goroutine profile: %v", err)
	}
	var found []string
	for stack := range strings.SplitSeq(profile.String(), "\n\n") {
		if strings.Contains(stack, fmt.Sprintf("%q:%q", "readytest", label)) {
			found = append(found, stack)
		}
	}
	return strings.Join(found, "\n\n")
}

func testOpens(t *testing.T, rig Rig) {
	b := newBench(t, rig)
	b.start(t)
	b.turn(t)
	if c := b.check(t); b.registry.Open() || c.State != ready.Pending {
		t.Errorf("a source that has not synced: gate open = %t, check is %s (%q); want shut and pending",
			b.registry.Open(), c.State, c.Message)
	}
	b.steer.Sync()
	b.untilOpen(t)
	b.stop(t)
}

func testSyncedBeforeStart(t *testing.T, rig Rig) {
	b := newBench(t, rig)
	b.first()
	b.steer.Sync()
	b.start(t)
	b.untilOpen(t)
	b.stop(t)
}

func testEarly(t *testing.T, rig Rig) {
	b := newBench(t, rig)
	b.start(t)
	b.steer.Sync()
	if c := b.check(t); b.registry.Open() || c.State == ready.Synced {
		t.Errorf("reported before its turn: gate open = %t, check is %s; want shut and not synced", b.registry.Open(), c.State)
	}
	b.turn(t)
	if rig.Reported {
		if c := b.check(t); b.registry.Open() || c.State == ready.Synced {
			t.Errorf("its early report was remembered: gate open = %t, check is %s", b.registry.Open(), c.State)
		}
		b.steer.Sync()
	}
	b.untilOpen(t)
	b.stop(t)
	b.wantOrder(t)
}

// wantOrder checks that the source was not synced before the first tier was.
func (b *bench) wantOrder(t *testing.T) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	complete := false
	for _, e := range b.events {
		switch {
		case e.Kind == ready.EventTier && e.Tier == "first" && e.To == string(ready.Synced):
			complete = true
		case e.Kind == ready.EventCheck && e.Check == b.name() && e.To == string(ready.Synced) && !complete:
			t.Errorf("the check was synced before the tier before it was complete: %+v", b.events)
		}
	}
}

func testFails(t *testing.T, rig Rig) {
	b := newBench(t, rig)
	if b.steer.Fail == nil {
		t.Skip("this kind of source cannot fail")
	}
	b.start(t)
	b.turn(t)
	const text = "the words of the failing source"
	b.steer.Fail(errors.New(text))
	b.shows(t, text)
	b.steer.Sync()
	b.untilOpen(t)
	b.stop(t)
}

func testPanics(t *testing.T, rig Rig) {
	b := newBench(t, rig)
	if b.steer.Panic == nil {
		t.Skip("the registry calls no foreign code of this kind of source")
	}
	const text = "the words of the panic"
	b.steer.Panic(text)
	b.start(t)
	b.turn(t)
	b.shows(t, text)
	b.steer.Sync()
	b.untilOpen(t)
	b.stop(t)
}

// shows waits until the check has failed with that text in all places.
func (b *bench) shows(t *testing.T, text string) {
	t.Helper()
	b.until(t, "the check is failed with the text "+text, func() bool {
		c := b.check(t)
		return c.State == ready.Failed && strings.Contains(c.Message, text)
	})
	if err := b.registry.Err(); err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("Err() = %v, want one with %q", err, text)
	}
	if err := b.registry.AdmissionErr(); err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("AdmissionErr() = %v, want one with %q", err, text)
	}
	if b.registry.Open() {
		t.Error("the gate is open with a failed check")
	}
}

func testEndsPending(t *testing.T, rig Rig) {
	b := newBench(t, rig)
	b.start(t)
	b.turn(t)
	b.stop(t)
	if b.registry.Open() || b.registry.Ready() {
		t.Error("the gate opened at the end of the run")
	}
}

func testEndsSynced(t *testing.T, rig Rig) {
	b := newBench(t, rig)
	b.start(t)
	b.turn(t)
	b.steer.Sync()
	b.untilOpen(t)
	b.stop(t)
	if b.registry.Open() || b.registry.Ready() {
		t.Error("the gate is still open after the end of the run")
	}
}

func testNilTier(t *testing.T, rig Rig) {
	steer := rig.Register(t, nil, subject)
	steer.Sync()
}
