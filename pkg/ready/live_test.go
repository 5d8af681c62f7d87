package ready_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/xdsready/xdsready/pkg/ready"
)

// probe is what a live check asks: nil or an error, set by the test.
type probe struct {
	err   atomic.Pointer[error]
	calls atomic.Int64
}

func (p *probe) set(err error) { p.err.Store(&err) }

func (p *probe) ask(context.Context) error {
	p.calls.Add(1)
	if err := p.err.Load(); err != nil {
		return *err
	}
	return nil
}

// after lets n intervals pass.
func after(n int, interval time.Duration) {
	time.Sleep(time.Duration(n) * interval)
	synctest.Wait()
}

func TestLiveCheckTurnsReadyzRedAndKeepsTheGateOpen(t *testing.T) {
	for _, row := range []struct {
		name                string
		options             ready.LiveOptions
		interval            time.Duration
		failures, successes int
	}{
		{name: "by default 3 failures, 2 successes, 10 s apart", interval: 10 * time.Second, failures: 3, successes: 2},
		{name: "as told", options: ready.LiveOptions{Interval: time.Second, FailureThreshold: 1, SuccessThreshold: 4},
			interval: time.Second, failures: 1, successes: 4},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := ready.NewWithOptions(quiet(), "inputs")
				var p probe
				r.Tier("inputs").Live("xds", p.ask, row.options)
				start(t, r)
				wantOpen(t, r)

				p.set(errors.New("queue is stuck"))
				after(row.failures-1, row.interval)
				wantOpen(t, r)
				wantState(t, r, "inputs", "xds", ready.Synced, "")
				after(1, row.interval)
				wantBits(t, r, false, true)
				wantState(t, r, "inputs", "xds", ready.Failed, "queue is stuck")
				wantText(t, "Err()", r.Err().Error(), "not ready: inputs: xds failed (queue is stuck)")
				if p := r.Status().Phase; p != ready.Degraded {
					t.Errorf("phase is %s, want degraded", p)
				}

				p.set(nil)
				after(row.successes-1, row.interval)
				wantBits(t, r, false, true)
				after(1, row.interval)
				wantOpen(t, r)
				wantState(t, r, "inputs", "xds", ready.Synced, "")
			})
		})
	}
}

func TestLiveCheckThatFlapsStaysAsItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready.NewWithOptions(quiet(), "inputs")
		var p probe
		r.Tier("inputs").Live("xds", p.ask, ready.LiveOptions{Interval: time.Second})
		start(t, r)
		for range 5 { // never 3 failures in a row
			p.set(errors.New("no"))
			after(2, time.Second)
			p.set(nil)
			after(1, time.Second)
			wantOpen(t, r)
		}
		p.set(errors.New("no"))
		after(3, time.Second)
		for range 5 { // never 2 successes in a row
			p.set(nil)
			after(1, time.Second)
			p.set(errors.New("no"))
			after(1, time.Second)
			wantBits(t, r, false, true)
		}
	})
}

func TestTwoLiveChecksMustBothBeGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready.NewWithOptions(quiet(), "inputs")
		var a, b probe
		each := ready.LiveOptions{Interval: time.Second, FailureThreshold: 1, SuccessThreshold: 1}
		r.Tier("inputs").Live("a", a.ask, each).Live("b", b.ask, each)
		start(t, r)
		a.set(errors.New("no"))
		b.set(errors.New("no"))
		after(1, time.Second)
		wantBits(t, r, false, true)
		a.set(nil)
		after(1, time.Second)
		wantBits(t, r, false, true)
		b.set(nil)
		after(1, time.Second)
		wantOpen(t, r)
	})
}

func TestLiveCheckGatesUntilItsFirstSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready.NewWithOptions(quiet(), "inputs")
		var p probe
		p.set(errors.New("not yet"))
		r.Tier("inputs").Live("xds", p.ask, ready.LiveOptions{})
		start(t, r)
		wantState(t, r, "inputs", "xds", ready.Failed, "not yet")
		wantShut(t, r)
		p.set(nil)
		<-r.Opened() // one success is enough, and it is asked as a wait is
	})
}

func TestLiveCheckIsBounded(t *testing.T) {
	for _, row := range []struct {
		name    string
		options ready.LiveOptions
		timeout time.Duration
	}{
		{"by its interval", ready.LiveOptions{Interval: time.Second}, time.Second},
		{"by its timeout", ready.LiveOptions{Interval: time.Second, Timeout: time.Millisecond}, time.Millisecond},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := ready.NewWithOptions(quiet(), "inputs")
				r.Tier("inputs").Live("hangs", func(ctx context.Context) error {
					<-ctx.Done()
					return ctx.Err()
				}, row.options)
				start(t, r)
				time.Sleep(row.timeout - time.Nanosecond)
				wantState(t, r, "inputs", "hangs", ready.Pending, "")
				time.Sleep(time.Nanosecond)
				synctest.Wait()
				wantState(t, r, "inputs", "hangs", ready.Failed, "context deadline exceeded")
			})
		})
	}
}

func TestLivePanicAfterOpeningIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready.NewWithOptions(quiet(), "inputs")
		var broken atomic.Bool
		r.Tier("inputs").Live("xds", func(context.Context) error {
			if broken.Load() {
				panic("nil map")
			}
			return nil
		}, ready.LiveOptions{Interval: time.Second})
		start(t, r)
		broken.Store(true)
		after(3, time.Second)
		wantState(t, r, "inputs", "xds", ready.Failed, "panic: nil map")
		wantBits(t, r, false, true)
	})
}

// Other sources latch: the gate does not ask them again.
func TestOtherChecksAreNotAskedAfterOpening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready.NewWithOptions(quiet(), "inputs")
		var waits atomic.Int64
		var looks atomic.Int64
		r.Tier("inputs").
			Wait("wait", func(context.Context) error { waits.Add(1); return nil }).
			Func("func", func() bool { return looks.Add(1) == 1 })
		start(t, r)
		time.Sleep(time.Hour)
		if waits.Load() != 1 || looks.Load() != 1 {
			t.Errorf("%d waits and %d looks, want one of each", waits.Load(), looks.Load())
		}
		wantOpen(t, r)
	})
}

func TestDrainOfADegradedRegistry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready.NewWithOptions(quiet(), "inputs")
		var p probe
		r.Tier("inputs").Live("xds", p.ask, ready.LiveOptions{Interval: time.Second, FailureThreshold: 1, SuccessThreshold: 1})
		ctx, cancel := context.WithCancel(t.Context())
		drained := r.WithDrain(ctx, time.Minute)
		ended := make(chan error, 1)
		go func() { ended <- r.Start(drained) }()
		synctest.Wait()
		p.set(errors.New("no"))
		after(1, time.Second)
		cancel()
		p.set(nil)
		after(10, time.Second) // recovers, and must not turn green while it drains
		wantBits(t, r, false, true)
		<-drained.Done()
		wantBits(t, r, false, false)
		if err := <-ended; err != nil {
			t.Errorf("Start = %v, want nil", err)
		}
	})
}
