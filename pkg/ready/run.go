package ready

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Start runs the registry: it calls the checks whose turn has come, evaluates
// live checks and watches the start deadline. It blocks until ctx ends, then
// drains at once, waits for every goroutine it started and returns nil; it
// returns ErrDeadline where Options.OnDeadline asks for that, and an error when
// it is called a second time. A wait that ignores its context holds it up.
//
// Start makes a Registry a controller-runtime Runnable. Prefer a goroutine
// before mgr.Start over mgr.Add: a manager starts what was added only after its
// caches have synced, just when the reasons are no longer needed.
func (r *Registry) Start(ctx context.Context) error {
	if r == nil {
		<-ctx.Done()
		return nil
	}
	if err := r.begin(); err != nil {
		return err
	}
	defer r.registerMetrics()()
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer func() {
		cancel()
		running.Wait()
		r.end()
	}()
	return r.loop(ctx, &running)
}

// registerMetrics registers the registry as a collector and returns what takes it
// back. In a program that starts over in place the registry before may still
// drain under the same names: it gives way. Any other collision is logged and no
// reason to keep the gate shut.
func (r *Registry) registerMetrics() (unregister func()) {
	registerer := r.options.Registerer
	if registerer == nil {
		return func() {}
	}
	err := registerer.Register(r)
	var taken prometheus.AlreadyRegisteredError
	if errors.As(err, &taken) {
		if before, ok := taken.ExistingCollector.(*Registry); ok && before.replaced.CompareAndSwap(false, true) {
			registerer.Unregister(before)
			err = registerer.Register(r)
		}
	}
	if err != nil {
		r.options.Logger.Error("the readiness metrics are not registered", "error", err)
		return func() {}
	}
	return func() {
		// Names are all that a Registerer knows: they may be another's by now.
		if r.replaced.CompareAndSwap(false, true) {
			registerer.Unregister(r)
		}
	}
}

// loop starts what has its turn until ctx ends.
func (r *Registry) loop(ctx context.Context, running *sync.WaitGroup) error {
	deadline := newDeadline(r.options.Deadline)
	defer deadline.Stop()
	beat := r.Loop("registry")
	alive := time.NewTicker(loopInterval)
	defer alive.Stop()
	opened := r.opened
	for {
		r.startDue(ctx, running)
		select {
		case <-r.wake:
		case <-alive.C:
			beat()
		case <-opened:
			opened = nil
			deadline.Stop()
			r.watchLive(ctx, running)
		case <-deadline.C:
			if r.missDeadline() && r.options.OnDeadline == Exit {
				return fmt.Errorf("%w after %v: %s", ErrDeadline, r.options.Deadline, r.reason())
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// startDue calls the checks whose turn has come.
func (r *Registry) startDue(ctx context.Context, running *sync.WaitGroup) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.due {
		if c.state.settled() || c.began.IsZero() {
			continue // settled or reset while it was queued
		}
		if c.cancel != nil {
			c.cancel()
		}
		var checkCtx context.Context
		checkCtx, c.cancel = context.WithCancel(ctx)
		round := c.round
		if c.wait != nil {
			running.Go(func() { r.run(checkCtx, c, round) })
		}
		if c.listed != nil {
			running.Go(func() { r.noteListed(checkCtx, c, round) })
		}
		if c.optional > 0 {
			running.Go(func() { r.expire(checkCtx, c, round) })
		}
	}
	r.due = nil
}

// newDeadline returns the timer of the start deadline, which never fires when d
// is negative.
func newDeadline(d time.Duration) *time.Timer {
	if d < 0 {
		t := time.NewTimer(time.Hour)
		t.Stop()
		return t
	}
	return time.NewTimer(d)
}

// missDeadline records that the start takes too long; false if it has ended.
func (r *Registry) missDeadline() bool {
	r.mu.Lock()
	missed := r.phase == Starting
	if missed {
		r.late = true
		r.emitLocked(Event{Kind: EventDeadline, Reason: r.reasonLocked(), Elapsed: time.Since(r.created)})
		r.changedLocked()
	}
	r.mu.Unlock()
	r.deliver()
	return missed
}

func (r *Registry) begin() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.started {
		return errors.New("the registry was already started: make a new one for each run")
	}
	r.started = true
	r.changedLocked()
	return nil
}

// end closes the run: nothing is ready any more. Where a WithDrain has not ended
// its delay, the gate is its to shut.
func (r *Registry) end() {
	r.mu.Lock()
	r.moveLocked(reasonDrain)
	if r.drains == 0 {
		r.gate.set(false, false)
		r.changedLocked()
	}
	r.mu.Unlock()
	r.deliver()
}

// NeedLeaderElection returns false: followers serve proxies too, so a
// controller-runtime manager must start the registry on every replica.
func (r *Registry) NeedLeaderElection() bool { return false }

// Run starts the registry in the background and blocks until the gate is open
// (true) or the run ends before that (false): stop is closed, the start deadline
// has passed with Exit, or it was started before. The registry runs until stop is closed, and
// then drains as Start does. It is Start for programs built around a stop
// channel.
func (r *Registry) Run(stop <-chan struct{}) bool {
	if r == nil {
		return true
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := r.Start(ctx); err != nil {
			r.options.Logger.Error("readiness registry ended", "error", err)
		}
	}()
	go func() {
		defer cancel()
		select {
		case <-stop:
		case <-ended:
		}
	}()
	select {
	case <-r.opened:
	case <-ended:
	}
	return closed(r.opened)() // a select of two that are ready takes either
}

// WithDrain returns a context that ends delay after ctx: the one line that a
// program's main needs for a drain that no proxy notices. When ctx ends,
// /readyz is red at once while streams are still admitted; after delay, in
// which the balancers learn of it, the gate shuts and the returned context
// ends with ctx's cause. Pass the returned context to everything that serves,
// including Start and the HTTP server of the probes. (grpc's GracefulStop is no
// alternative: it never returns while a proxy keeps its stream.)
//
// Where it is called more than once, the gate shuts at the end of the last delay.
//
// The returned context has ctx's values. ctx must end one day: a goroutine
// starts when ctx ends and lasts for delay.
func (r *Registry) WithDrain(ctx context.Context, delay time.Duration) context.Context {
	if r == nil {
		return ctx
	}
	r.mu.Lock()
	r.drains++
	r.mu.Unlock()
	drained, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() {
		r.drain()
		time.AfterFunc(max(delay, 0), func() {
			r.shut()
			cancel(context.Cause(ctx))
		})
	})
	return drained
}

// drain takes the replica out of balancing and goes on serving.
func (r *Registry) drain() {
	r.mu.Lock()
	r.moveLocked(reasonDrain)
	r.mu.Unlock()
	r.deliver()
}

// shut refuses new streams from now on, unless another drain has not ended yet.
func (r *Registry) shut() {
	r.mu.Lock()
	r.drains--
	if r.drains == 0 {
		r.gate.set(false, false)
		r.changedLocked()
	}
	r.mu.Unlock()
}
