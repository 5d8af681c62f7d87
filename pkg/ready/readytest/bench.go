package readytest

import (
	"bytes"
	"context"
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

// subject is the name of the check under test.
const subject = "subject"

// bench is one registry with the source under test in its second tier.
type bench struct {
	t        *testing.T
	rig      Rig
	steer    Steer
	registry *ready.Registry
	first    func() // completes the tier before
	cancel   context.CancelFunc
	ended    chan struct{} // closed when Start has returned
	err      error         // what it returned

	mu     sync.Mutex // guards events
	events []ready.Event
}

// newBench makes the registry and registers the source.
func newBench(t *testing.T, rig Rig) *bench {
	t.Helper()
	b := &bench{t: t, rig: rig, ended: make(chan struct{})}
	b.registry = ready.NewWithOptions(ready.Options{OnEvent: b.event, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}, "first", "second")
	b.first = b.registry.Tier("first").Signal("before")
	b.steer = rig.Register(t, b.registry.Tier("second"), subject)
	return b
}

// start starts the registry under a profiler label, which its goroutines and
// those of the sources it calls inherit.
func (b *bench) start() {
	b.t.Helper()
	ctx, cancel := context.WithCancel(b.t.Context())
	b.cancel = cancel
	b.t.Cleanup(func() { b.end() })
	go pprof.Do(ctx, pprof.Labels("readytest", b.t.Name()), func(ctx context.Context) {
		defer close(b.ended)
		b.err = b.registry.Start(ctx)
	})
}

// end ends the run and reports whether Start returned.
func (b *bench) end() bool {
	b.cancel()
	select {
	case <-b.ended:
		return true
	case <-time.After(Limit):
		return false
	}
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
func (b *bench) check() ready.CheckStatus {
	b.t.Helper()
	for _, tier := range b.registry.Status().Tiers {
		for _, c := range tier.Checks {
			if tier.Name == "second" && c.Name == b.name() {
				return c
			}
		}
	}
	b.t.Fatalf("the rig registered no check %q: %+v", b.name(), b.registry.Status())
	return ready.CheckStatus{}
}

// until waits for a condition on the status.
func (b *bench) until(what string, holds func() bool) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), Limit)
	defer cancel()
	for {
		changed := b.registry.Changed()
		if holds() {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			b.t.Fatalf("not within %v: %s; Err: %v; status: %+v", Limit, what, b.registry.Err(), b.registry.Status())
		}
	}
}

// settle lets everything happen that would. That nothing happens can be seen in
// a bubble only; in real time a rig that reports by itself may go unnoticed.
func (b *bench) settle() {
	if b.rig.Bubble {
		time.Sleep(time.Second)
		synctest.Wait()
	}
}

// untilOpen waits for the gate.
func (b *bench) untilOpen() {
	b.t.Helper()
	b.until("the gate opens", b.registry.Open)
	if c := b.check(); c.State != ready.Synced {
		b.t.Errorf("the gate is open and the check is %s (%q), want synced", c.State, c.Message)
	}
}

// turn completes the tier before and waits until the source has its turn.
func (b *bench) turn() {
	b.t.Helper()
	b.first()
	b.until("the first tier is complete", func() bool {
		return b.registry.Status().Tiers[0].State == ready.Synced
	})
}

// stop ends the run and checks that nothing is left of it.
func (b *bench) stop() {
	b.t.Helper()
	if !b.end() {
		b.t.Fatalf("Start did not return within %v of the end of its context: the wait ignores it", Limit)
	}
	if b.err != nil {
		b.t.Errorf("Start returned %v, want nil", b.err)
	}
	if b.rig.Bubble {
		synctest.Wait()
	}
	for limit := time.Now().Add(Limit); ; runtime.Gosched() { // one may be on its last instructions
		left := labelled(b.t.Name())
		if left == "" {
			return
		}
		if b.rig.Bubble || time.Now().After(limit) {
			b.t.Errorf("goroutines are left after Start returned:\n%s", left)
			return
		}
	}
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

// wantOrder checks that the source was not synced before the first tier was.
func (b *bench) wantOrder() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	complete := false
	for _, e := range b.events {
		switch {
		case e.Kind == ready.EventTier && e.Tier == "first" && e.To == string(ready.Synced):
			complete = true
		case e.Kind == ready.EventCheck && e.Check == b.name() && e.To == string(ready.Synced) && !complete:
			b.t.Errorf("the check was synced before the tier before it was complete: %+v", b.events)
		}
	}
}

// shows waits until the check has failed with that text in all places.
func (b *bench) shows(text string) {
	b.t.Helper()
	b.until("the check is failed with the text "+text, func() bool {
		c := b.check()
		return c.State == ready.Failed && strings.Contains(c.Message, text)
	})
	if err := b.registry.Err(); err == nil || !strings.Contains(err.Error(), text) {
		b.t.Errorf("Err() = %v, want one with %q", err, text)
	}
	if err := b.registry.AdmissionErr(); err == nil || !strings.Contains(err.Error(), text) {
		b.t.Errorf("AdmissionErr() = %v, want one with %q", err, text)
	}
	if b.registry.Open() {
		b.t.Error("the gate is open with a failed check")
	}
}
