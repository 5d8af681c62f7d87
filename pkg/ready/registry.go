package ready

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// DefaultDeadline is the start deadline where Options.Deadline is zero.
const DefaultDeadline = 5 * time.Minute

// ErrDeadline is what Start returns when the start deadline passes and
// Options.OnDeadline is Exit.
var ErrDeadline = errors.New("start deadline exceeded")

// DeadlineAction says what a missed start deadline does besides being reported.
type DeadlineAction int

const (
	// Wait goes on waiting. The gate stays shut: a deadline never opens it.
	Wait DeadlineAction = iota
	// Exit makes Start return ErrDeadline, so that the program can end. In an
	// outage of the API server this turns every replica into a crash loop.
	Exit
)

// Options are the settings of a Registry. All fields may stay zero.
type Options struct {
	// Logger gets one line for each transition. Nil means slog.Default().
	Logger *slog.Logger
	// Deadline is how long the start may take before it is reported as an
	// event, as a metric and in /readyz. Zero means 5 minutes, negative none.
	Deadline time.Duration
	// OnDeadline says what else happens at the deadline. Zero means Wait.
	OnDeadline DeadlineAction
	// OnEvent is called for each transition: one call at a time, in order, with
	// no lock held, from the goroutine that caused it or one that was already
	// delivering. It should return soon. Nil means none.
	OnEvent func(Event)
	// Registerer gets the registry's metrics while Start runs, so that a
	// program that starts over in place finds their names free. Nil means that
	// the caller registers and unregisters the Registry, a Collector, by hand.
	Registerer prometheus.Registerer
}

// Registry holds the ordered tiers of one run of a control plane, and the gate
// they open. Make one with New, register checks on its tiers, then call Start
// (or Run) in a goroutine before anything that waits for its inputs, such as a
// controller-runtime manager, whose own runnables start only after its caches
// have synced.
//
// A nil *Registry is ready: every method may be called on it and answers as
// after opening. All methods are safe for concurrent use.
type Registry struct {
	// Set once.
	options Options
	created time.Time
	opened  chan struct{} // closed when the gate opens
	wake    chan struct{} // capacity 1: there is something for Start to do

	gate     gate
	replaced atomic.Bool             // the metrics' names are not ours any more
	verdict  atomic.Pointer[verdict] // the plain answer; nil after a change

	mu sync.Mutex // guards all below and the state of tiers and checks; leaf lock
	// tiers in order; those that New was not given, at the end.
	tiers      []*Tier
	phase      Phase
	started    bool // Start was called
	late       bool // the deadline has passed with the gate shut
	drains     int  // WithDrain contexts that will shut the gate themselves
	due        []*check
	changed    chan struct{} // closed and replaced at each change
	events     []Event       // not yet delivered
	delivering bool          // some goroutine is in deliver
	loops      []*loop

	transitions map[move]uint64
	skipped     map[string]uint64 // by tier
	watchErrors map[string]uint64 // by resource
}

// New returns a registry with the named tiers in the order in which they must
// complete; a repeated name counts once. Without names the tiers are "inputs"
// and "snapshot", which is what most programs need.
func New(tiers ...string) *Registry { return NewWithOptions(Options{}, tiers...) }

// NewWithOptions is New with options.
func NewWithOptions(options Options, tiers ...string) *Registry {
	options.Logger = cmp.Or(options.Logger, slog.Default())
	options.Deadline = cmp.Or(options.Deadline, DefaultDeadline)
	if len(tiers) == 0 {
		tiers = []string{"inputs", "snapshot"}
	}
	r := &Registry{
		options:     options,
		created:     time.Now(),
		opened:      make(chan struct{}),
		wake:        make(chan struct{}, 1),
		phase:       Starting,
		changed:     make(chan struct{}),
		transitions: map[move]uint64{},
		skipped:     map[string]uint64{},
		watchErrors: map[string]uint64{},
	}
	for _, name := range tiers {
		if name = printable(name); r.findLocked(name) == nil {
			r.addTierLocked(name, false)
		}
	}
	r.tiers[0].began = r.created
	return r
}

func (r *Registry) addTierLocked(name string, unknown bool) *Tier {
	t := &Tier{registry: r, name: name, unknown: unknown, done: make(chan struct{}), snapshots: map[string]*Snapshot{}}
	r.tiers = append(r.tiers, t)
	return t
}

// Tier returns the tier of that name. A name that New was not given returns a
// tier that never completes and is shown as failed: a typing error keeps
// /readyz red and says so, instead of opening the gate without the check.
// After opening, the tier is Late as all else that comes then.
func (r *Registry) Tier(name string) *Tier {
	if r == nil {
		return nil
	}
	name = printable(name)
	r.mu.Lock()
	defer r.mu.Unlock()
	if t := r.findLocked(name); t != nil {
		return t
	}
	defer r.changedLocked()
	t := r.addTierLocked(name, true)
	if t.late = r.phase != Starting; t.late {
		close(t.done) // nobody waits for it
	}
	return t
}

func (r *Registry) findLocked(name string) *Tier {
	if i := slices.IndexFunc(r.tiers, func(t *Tier) bool { return t.name == name }); i >= 0 {
		return r.tiers[i]
	}
	return nil
}

// registerLocked adds a new check to a tier.
func (r *Registry) registerLocked(t *Tier, c *check) {
	c.tier, c.state, c.name = t, Pending, printable(c.name)
	for n, name := 2, c.name; t.findLocked(c.name) != nil; n++ {
		c.name = fmt.Sprintf("%s (%d)", name, n)
	}
	t.checks = append(t.checks, c)
	switch {
	case r.phase != Starting:
		c.state, c.message = Late, "registered after opening: it never gates"
		r.emitLocked(Event{Kind: EventCheck, Tier: t.name, Check: c.name, To: string(Late), Reason: c.message})
	default:
		r.reopenLocked(t)
		if c.eager || !t.began.IsZero() {
			r.beginLocked(c)
		}
	}
	r.changedLocked()
}

// reopenLocked makes t incomplete because it got a check, and takes back what
// later tiers reported, because it was computed without this input.
func (r *Registry) reopenLocked(t *Tier) {
	if t.ended.IsZero() {
		return
	}
	for i, later := range r.tiers[slices.Index(r.tiers, t):] {
		if !later.ended.IsZero() {
			later.ended, later.done = time.Time{}, make(chan struct{})
			r.emitLocked(Event{Kind: EventTier, Tier: later.name, From: string(Synced), To: string(Pending), Reason: "new check"})
		}
		if i == 0 {
			continue
		}
		later.began = time.Time{}
		for _, c := range later.checks {
			if !c.eager {
				c.resetLocked()
			}
		}
	}
}

// printable returns a name as metrics and JSON can show it.
func printable(name string) string { return strings.ToValidUTF8(name, "\uFFFD") }

// beginLocked gives the check its turn.
func (r *Registry) beginLocked(c *check) {
	c.began = time.Now()
	r.due = append(r.due, c)
	r.wakeLocked()
}

// wakeLocked tells Start that there is something to do.
func (r *Registry) wakeLocked() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// resetLocked takes the check's report and turn back.
func (c *check) resetLocked() {
	if c.cancel != nil {
		c.cancel()
	}
	c.round++
	c.state, c.message, c.cancel = Pending, "", nil
	c.began, c.ended = time.Time{}, time.Time{}
	c.snapshot.resetLocked()
}

// currentRound stands for whichever round a check is in.
const currentRound = -1

// report records what a check has to say before opening; reportLive what a live
// check says after it.
func (r *Registry) report(c *check, round int, to State, message string) {
	r.mu.Lock()
	r.reportLocked(c, round, to, message)
	r.mu.Unlock()
	r.deliver()
}

func (r *Registry) reportLocked(c *check, round int, to State, message string) {
	message = oneLine(message)
	stale := round != currentRound && round != c.round
	latched := c.state.settled() && !(c.state == Skipped && to == Synced)
	unchanged := c.state == to && c.message == message
	if stale || latched || unchanged {
		return
	}
	from := c.state
	c.state, c.message = to, message
	if to.settled() {
		c.ended = time.Now()
		if to == Synced && c.cancel != nil {
			c.cancel()
		}
		if to == Skipped {
			r.skipped[c.tier.name]++
		}
	}
	r.emitLocked(Event{Kind: EventCheck, Tier: c.tier.name, Check: c.name,
		From: string(from), To: string(to), Reason: message, Elapsed: elapsed(c.began, c.ended)})
	r.advanceLocked()
	r.changedLocked()
}

// note changes what is shown of a check, and nothing else.
func (r *Registry) note(c *check, text string) {
	text = oneLine(text)
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.message != text {
		c.message = text
		r.changedLocked()
	}
}

// advanceLocked completes the tiers that are, gives the next one its turn, and
// opens the gate after the last.
func (r *Registry) advanceLocked() {
	if r.phase != Starting {
		return
	}
	for _, t := range r.tiers {
		if t.began.IsZero() {
			t.began = time.Now()
			for _, c := range t.checks {
				if c.began.IsZero() {
					r.beginLocked(c)
				}
			}
		}
		if !t.settledLocked() {
			return
		}
		if t.ended.IsZero() {
			t.ended = time.Now()
			close(t.done)
			r.emitLocked(Event{Kind: EventTier, Tier: t.name, From: string(Pending), To: string(Synced), Elapsed: elapsed(t.began, t.ended)})
		}
	}
	r.moveLocked(reasonSynced)
	close(r.opened)
	r.wakeLocked()
}

// moveLocked changes the phase for a reason, if the table of moves has it, and
// sets the gate's bits to what the new phase means.
func (r *Registry) moveLocked(reason string) {
	m, ok := r.phase.next(reason)
	if !ok {
		return
	}
	r.phase = m.to
	r.transitions[m]++
	// A drain leaves admission as it is until its delay is over.
	r.gate.set(r.gate.open() || reason == reasonSynced, m.to == Ready)
	r.emitLocked(Event{Kind: EventPhase, From: string(m.from), To: string(m.to), Reason: reason, Elapsed: time.Since(r.created)})
	r.changedLocked()
}

// changedLocked tells those who wait for a change.
func (r *Registry) changedLocked() {
	r.verdict.Store(nil)
	close(r.changed)
	r.changed = make(chan struct{})
}

// turn reports whether all tiers before the check's are complete, and in which
// round that is. It looks at boolean and channel sources at once instead of
// trusting their last poll: a caller that has just seen them synced must not be
// told otherwise, because it may have no reason to come again.
func (c *check) turn() (come bool, round int) {
	r := c.tier.registry
	for {
		r.mu.Lock()
		come, round = !c.tier.began.IsZero(), c.round
		pending := r.pendingLocked()
		r.mu.Unlock()
		if come {
			return true, round
		}
		progress := false
		for source, round := range pending {
			if source.look() {
				r.report(source, round, Synced, "")
				progress = true
			}
		}
		if !progress {
			return false, round
		}
	}
}

// pendingLocked returns the checks, with their rounds, that the first
// incomplete tier waits for and that can be looked at.
func (r *Registry) pendingLocked() map[*check]int {
	pending := map[*check]int{}
	for _, t := range r.tiers {
		if !t.ended.IsZero() {
			continue
		}
		for _, c := range t.checks {
			if c.peek != nil && !c.state.settled() {
				pending[c] = c.round
			}
		}
		break
	}
	return pending
}
