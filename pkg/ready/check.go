package ready

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// State is the state of a check or of a tier.
type State string

// The states. A tier is never Skipped, and Failed only if New was not given its
// name.
const (
	Pending State = "pending" // has not reported yet
	Synced  State = "synced"  // has reported; latched, except for live checks
	Failed  State = "failed"  // could not sync so far, for the reason in Message; is tried again
	Skipped State = "skipped" // optional, and gave up: the tier goes on without it
	Late    State = "late"    // came after opening: recorded, never gates
)

// settled reports whether a tier may go on past a check in this state.
func (s State) settled() bool { return s == Synced || s == Skipped || s == Late }

// Kind says how a check learns that it is synced.
type Kind string

// The kinds of checks.
const (
	KindWait   Kind = "wait"   // a function that blocks, a channel, or a boolean that is polled
	KindSignal Kind = "signal" // reported by hand, as a stored snapshot is
	KindLive   Kind = "live"   // evaluated again after opening
)

const (
	// pollInterval is how often a boolean source is asked. It is constant: a
	// poll that doubles notices a source synced at 66 ms only at 129 ms.
	pollInterval = 5 * time.Millisecond

	// A wait that returns an error is called again after 100 ms, doubling to
	// 10 s, each with a jitter of ±50 % so that replicas do not ask in step.
	retryFirst = 100 * time.Millisecond
	retryMax   = 10 * time.Second
)

// check is one named sync signal. What its source is was decided when it was
// registered: a wait that blocks, a peek that looks, or nothing but reports.
type check struct {
	tier *Tier
	name string
	kind Kind

	wait     func(context.Context) error // nil: reported by hand
	peek     func() bool                 // looks at the source without blocking; nil: cannot
	listed   func() bool                 // the informer's own HasSynced behind a handler; nil: none
	live     LiveOptions                 // for KindLive
	eager    bool
	optional time.Duration // 0: not optional
	covers   bool          // stands for all informers that have no check of their own
	snapshot *Snapshot     // what reports it; nil: it is no snapshot check

	// Guarded by the registry's mu.
	state   State
	message string
	cancel  context.CancelFunc // ends the current wait; nil while none runs
	round   int                // counts resets: a report of an earlier round is stale
	began   time.Time          // its turn came (eager: it was registered)
	ended   time.Time          // it settled
}

// CheckOption changes how one check is treated.
type CheckOption func(*check)

// Eager lets a check start when it is registered and lets it report before its
// tier's turn has come. Use it only for a source that does not derive from the
// tiers before: what Eager reports early is taken as true later.
func Eager() CheckOption { return func(c *check) { c.eager = true } }

// Optional gives up on a check after deadline, counted from its tier's turn, or
// from its registration if it is Eager, but never from before Start. The check is
// then Skipped, counted in the metrics, and its tier goes on, as for a remote
// cluster that cannot be reached. It turns Synced if it reports later. A deadline
// of zero or less skips it at once.
func Optional(deadline time.Duration) CheckOption {
	return func(c *check) { c.optional = max(deadline, time.Nanosecond) }
}

// Listed names the source behind a handler: while the check is pending and
// hasSynced is true its message is "listed, handler not done". An informer's
// HasSynced means that its store is filled; a handler registration's, that the
// handler has seen it all. hasSynced must be safe for concurrent use.
func Listed(hasSynced func() bool) CheckOption {
	return func(c *check) { c.listed = hasSynced }
}

// run calls the check's wait until it succeeds or ctx ends.
func (r *Registry) run(ctx context.Context, c *check, round int) {
	for retry := retryFirst; ; retry = min(2*retry, retryMax) {
		err := guard(func() error { return c.wait(ctx) })
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			r.report(c, round, Synced, "")
			return
		}
		r.report(c, round, Failed, err.Error())
		jittered := retry/2 + rand.N(retry)
		select {
		case <-time.After(jittered):
		case <-ctx.Done():
			return
		}
	}
}

// noteListed makes known that the source behind a handler has been listed.
func (r *Registry) noteListed(ctx context.Context, c *check, round int) {
	err := guard(func() error { return poll(c.listed)(ctx) })
	switch {
	case ctx.Err() != nil:
	case err != nil:
		r.report(c, round, Failed, err.Error())
	default:
		r.report(c, round, Pending, "listed, handler not done")
	}
}

// expire gives up on an optional check at its deadline.
func (r *Registry) expire(ctx context.Context, c *check, round int) {
	select {
	case <-time.After(c.optional):
		r.report(c, round, Skipped, fmt.Sprintf("optional: gave up after %v", c.optional))
	case <-ctx.Done():
	}
}

// look reports whether the check's source is synced now.
func (c *check) look() bool {
	synced := false
	err := guard(func() error { synced = c.peek(); return nil })
	return err == nil && synced
}

// poll returns a wait that asks synced every pollInterval.
func poll(synced func() bool) func(context.Context) error {
	return func(ctx context.Context) error {
		ticker := time.NewTicker(pollInterval)
		defer ticker.Stop()
		for !synced() {
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	}
}

// receive returns a wait for a channel to be closed.
func receive(done <-chan struct{}) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// closed returns a peek at a channel.
func closed(done <-chan struct{}) func() bool {
	return func() bool {
		select {
		case <-done:
			return true
		default:
			return false
		}
	}
}

// guard turns a panic of foreign code into an error: a check that panics is a
// failed check, not a dead process.
func guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return f()
}
