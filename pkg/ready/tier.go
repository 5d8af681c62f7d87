package ready

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Tier is an ordered, named group of checks. It is complete when every tier
// before it is complete and all of its checks are settled; without a check it
// is never complete, so that a forgotten registration cannot open the gate.
//
// The methods that register a check return the tier, so that calls chain; none
// returns an error. Two checks of one name in one tier both gate, the second
// under the name "NAME (2)". A check registered while the gate is shut always
// gates: a tier that was complete becomes incomplete again, and what later
// tiers reported must be reported again, because it was computed without this
// input. A check registered after opening is Late.
//
// So register every check before the last of those that are known can report.
// A program that registers as it goes, say an informer per discovered kind,
// holds the tier open meanwhile: registered := tier.Signal("registered"), and
// registered() after the last one.
//
// A nil *Tier is complete: its methods do nothing. All methods are safe for
// concurrent use.
type Tier struct {
	registry *Registry
	name     string

	// Guarded by the registry's mu.
	unknown   bool                 // not among the names given to New
	late      bool                 // asked for by an unknown name after opening
	checks    []*check             // in order of registration
	snapshots map[string]*Snapshot // by the name given to Snapshot
	began     time.Time            // its turn came; zero: not yet
	ended     time.Time            // it became complete; zero: it is not
	done      chan struct{}        // closed while it is complete
}

// Wait registers a function that blocks until its source is synced and then
// returns nil. It is called when the tier's turn comes, must return when ctx
// ends, and is called again with jittered exponential backoff (100 ms to 10 s)
// after an error, whose text becomes the check's message.
func (t *Tier) Wait(name string, wait func(context.Context) error, options ...CheckOption) *Tier {
	if wait == nil {
		wait = func(context.Context) error { return errors.New("it was registered without a function to wait for") }
	}
	return t.add(&check{name: name, kind: KindWait, wait: wait}, options)
}

// Func registers a boolean source, as an informer's or a handler registration's
// HasSynced. It is polled every 5 ms while it is pending, and looked at once by
// Snapshot.Begin. synced must be safe for concurrent use and must not block.
func (t *Tier) Func(name string, synced func() bool, options ...CheckOption) *Tier {
	return t.add(&check{name: name, kind: KindWait, wait: poll(synced), peek: synced}, options)
}

// Chan registers a channel that is closed when its source is synced.
func (t *Tier) Chan(name string, done <-chan struct{}, options ...CheckOption) *Tier {
	return t.add(&check{name: name, kind: KindWait, wait: receive(done), peek: closed(done)}, options)
}

// Checker registers a source that has a name and a channel, as the DoneChecker
// that client-go 0.36 and newer return from HasSyncedChecker.
func (t *Tier) Checker(c interface {
	Name() string
	Done() <-chan struct{}
}, options ...CheckOption) *Tier {
	if t == nil {
		return nil
	}
	return t.Chan(c.Name(), c.Done(), options...)
}

// Syncer registers a krt collection or a krt handler registration. The name is
// asked for because a krt Syncer has none.
func (t *Tier) Syncer(name string, s interface {
	WaitUntilSynced(stop <-chan struct{}) bool
	HasSynced() bool
}, options ...CheckOption) *Tier {
	if t == nil {
		return nil
	}
	wait := func(ctx context.Context) error {
		if !s.WaitUntilSynced(ctx.Done()) {
			return errors.New("the collection stopped before it had synced")
		}
		return nil
	}
	return t.add(&check{name: name, kind: KindWait, wait: wait, peek: s.HasSynced}, options)
}

// Cache registers a controller-runtime cache, or whatever has its
// WaitForCacheSync. controller-runtime 0.25 notices a sync up to 100 ms late
// because it polls; register its informers' handler registrations where that
// matters. Errors that WatchErrors sees for types without a check of their own
// become this check's message.
func (t *Tier) Cache(name string, c interface {
	WaitForCacheSync(context.Context) bool
}, options ...CheckOption) *Tier {
	if t == nil {
		return nil
	}
	wait := func(ctx context.Context) error {
		if !c.WaitForCacheSync(ctx) {
			return errors.New("the cache did not sync: it is not started, or has stopped")
		}
		return nil
	}
	return t.add(&check{name: name, kind: KindWait, wait: wait, covers: true}, options)
}

// Signal registers a check that is reported by hand, by calling synced. A
// report that comes before the tiers before are complete does not count, and
// the check's message says so: it was not computed after its inputs. Only the
// moment of the call is judged, so a computation that is reported must have
// begun after [Tier.Await] of the tier before; [Snapshot.Begin] does both. synced
// may be called again, from any goroutine.
func (t *Tier) Signal(name string, options ...CheckOption) (synced func()) {
	if t == nil {
		return func() {}
	}
	c := &check{name: name, kind: KindSignal}
	t.add(c, options)
	return func() {
		come, round := true, currentRound // for an eager check it always is its turn
		if !c.eager {
			come, round = c.turn()
		}
		if come {
			t.registry.report(c, round, Synced, "")
			return
		}
		t.registry.report(c, currentRound, Pending, "reported before the tiers before it were complete; report again")
	}
}

// Backlog registers a pair of counters: the check is synced when committed has
// reached the value that inbound had when the tier's turn came, so that every
// update received before then has been worked in. Nothing inbound is synced at
// once. The counters are read every 5 ms and must be safe for concurrent use.
func (t *Tier) Backlog(name string, inbound, committed func() int64, options ...CheckOption) *Tier {
	wait := func(ctx context.Context) error {
		expected := inbound()
		return poll(func() bool { return committed() >= expected })(ctx)
	}
	return t.add(&check{name: name, kind: KindWait, wait: wait}, options)
}

// Live registers a check that is evaluated again after opening. Its first
// success completes it as any other check; afterwards probe is called at
// options.Interval, and while it fails /readyz is red (phase degraded) but the
// gate stays open. probe must return when its context ends, at the latest: one
// that hangs is not evaluated again. Live is opt-in per check because a fault that all replicas
// share takes all of them out of balancing.
func (t *Tier) Live(name string, probe func(context.Context) error, options LiveOptions) *Tier {
	options = options.withDefaults()
	return t.add(&check{name: name, kind: KindLive, wait: options.bound(probe), live: options}, nil)
}

// Await blocks until the tier is complete, which includes the tiers before it,
// and returns nil; or until ctx ends, and returns its cause with what was
// missing. A reconciler calls it first, so that nothing is computed from
// partial inputs.
func (t *Tier) Await(ctx context.Context) error {
	if t == nil {
		return nil
	}
	completed := t.completed()
	select {
	case <-completed:
	case <-ctx.Done():
		if !closed(completed)() { // a select of two that are ready takes either
			return fmt.Errorf("waiting for tier %s: %w%s", t.name, context.Cause(ctx), after(t.registry.reason()))
		}
	}
	return nil
}

// Fail records why a check is not synced: its state is Failed with err's text
// until it reports. It does nothing for a check that has settled or that does
// not exist, and for a nil err.
func (t *Tier) Fail(name string, err error) {
	if t == nil || err == nil {
		return
	}
	if c := t.find(name); c != nil {
		t.registry.report(c, currentRound, Failed, err.Error())
	}
}

// Note makes text the message of a check, shown by /readyz?verbose, and changes
// nothing else: what a pending check is doing, or what is wrong with the source
// of one that has settled. An empty text takes it back. It does nothing for a
// check that does not exist.
func (t *Tier) Note(name, text string) {
	if t == nil {
		return
	}
	if c := t.find(name); c != nil {
		t.registry.note(c, text)
	}
}

// add registers c, or records it as late.
func (t *Tier) add(c *check, options []CheckOption) *Tier {
	if t == nil {
		return nil
	}
	for _, option := range options {
		option(c)
	}
	r := t.registry
	r.mu.Lock()
	r.registerLocked(t, c)
	r.mu.Unlock()
	r.deliver()
	return t
}

// find returns the check of that name, nil if there is none.
func (t *Tier) find(name string) *check {
	t.registry.mu.Lock()
	defer t.registry.mu.Unlock()
	return t.findLocked(printable(name))
}

func (t *Tier) findLocked(name string) *check {
	for _, c := range t.checks {
		if c.name == name {
			return c
		}
	}
	return nil
}

// completed returns a channel that is closed while the tier is complete.
func (t *Tier) completed() <-chan struct{} {
	t.registry.mu.Lock()
	defer t.registry.mu.Unlock()
	return t.done
}

// settledLocked reports whether all checks of the tier are settled.
func (t *Tier) settledLocked() bool {
	gating := 0
	for _, c := range t.checks {
		if !c.state.settled() {
			return false
		}
		if c.state != Late {
			gating++
		}
	}
	return gating > 0 && !t.unknown
}
