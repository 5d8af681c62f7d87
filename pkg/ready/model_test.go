package ready_test

import (
	"fmt"
	"slices"

	"github.com/xdsready/xdsready/pkg/ready"
)

// model is the semantics of the registry in its plainest form: a list of tiers,
// and settle, which looks at all of it again until nothing changes. It has no
// goroutines, rounds, queues or timers, and shares no code with the registry.
// Time is the argument of settle: "long" means that every poll, retry, deadline
// and live check has had its turn.
type model struct {
	tiers   []*modelTier
	started bool
	phase   ready.Phase
	open    bool
}

type modelTier struct {
	name     string
	unknown  bool // not among the names given to New
	late     bool // asked for after opening
	complete bool
	checks   []*modelCheck
}

// shape is how a check learns that it is synced.
type shape string

const (
	byChan     shape = "chan"     // seen at once
	byFunc     shape = "func"     // seen when polled, or looked at by a report
	byWait     shape = "wait"     // seen at once, but not while it backs off
	byLive     shape = "live"     // seen at its turn and when tried again
	bySignal   shape = "signal"   // reported
	bySnapshot shape = "snapshot" // reported, computed after its inputs
)

type modelCheck struct {
	name     string
	shape    shape
	eager    bool
	optional bool
	state    ready.State

	synced, failing bool // the source
	asked           bool // was looked at since its turn came
	epoch           int  // how often its reports have been taken back

	expected []string        // snapshot: groups named; nil: none yet
	groups   map[string]bool // snapshot: groups settled
}

func newModel(tiers []string) *model {
	m := &model{phase: ready.Starting}
	for _, name := range tiers {
		m.tiers = append(m.tiers, &modelTier{name: name})
	}
	return m
}

func (c *modelCheck) settled() bool {
	return c.state == ready.Synced || c.state == ready.Skipped || c.state == ready.Late
}

// turn reports whether all tiers before are complete.
func (m *model) turn(t *modelTier) bool {
	for _, before := range m.tiers {
		if before == t {
			return true
		}
		if !before.complete {
			return false
		}
	}
	return false
}

// settle looks at what the registry may look at and completes what is complete;
// long: after a long time.
func (m *model) settle(long bool) {
	for changed := true; changed; {
		changed = m.advance()
		for _, t := range m.tiers {
			for _, c := range t.checks {
				before := *c
				if m.started && (m.turn(t) || c.eager) {
					c.look(long)
				}
				changed = changed || before.state != c.state || before.asked != c.asked
			}
		}
	}
	if long && m.open {
		m.evaluateLive()
	}
}

// advance completes tiers in order and opens after the last.
func (m *model) advance() (changed bool) {
	if m.phase != ready.Starting {
		return false
	}
	for _, t := range m.tiers {
		if !t.complete && m.turn(t) && t.done() {
			t.complete, changed = true, true
		}
	}
	if m.allComplete() {
		m.phase, m.open, changed = ready.Ready, true, true
	}
	return changed
}

func (t *modelTier) done() bool {
	for _, c := range t.checks {
		if !c.settled() {
			return false
		}
	}
	return len(t.checks) > 0 && !t.unknown
}

func (m *model) allComplete() bool {
	for _, t := range m.tiers {
		if !t.complete {
			return false
		}
	}
	return true
}

// look is what the registry may see of a source that it has been told to ask.
func (c *modelCheck) look(long bool) {
	if c.state == ready.Skipped && c.synced {
		c.state = ready.Synced
	}
	if c.settled() {
		return
	}
	again := long || !c.asked
	switch c.shape {
	case byChan:
		if c.synced {
			c.state = ready.Synced
		}
	case byFunc:
		if again && c.synced {
			c.state = ready.Synced
		}
		c.asked = true
	case byWait:
		switch {
		case c.asked && !long: // it failed and backs off
		case c.synced:
			c.state = ready.Synced
		case c.failing:
			c.state, c.asked = ready.Failed, true
		}
	case byLive:
		if again {
			c.state = ready.Failed
			if c.synced {
				c.state = ready.Synced
			}
		}
		c.asked = true
	}
	if long && c.optional && !c.settled() {
		c.state = ready.Skipped
	}
}

// evaluateLive is what live checks do after opening.
func (m *model) evaluateLive() {
	fails := false
	for _, t := range m.tiers {
		for _, c := range t.checks {
			if c.shape != byLive || c.state == ready.Late {
				continue
			}
			c.state = ready.Synced
			if !c.synced {
				c.state, fails = ready.Failed, true
			}
		}
	}
	switch {
	case m.phase == ready.Draining:
	case fails:
		m.phase = ready.Degraded
	default:
		m.phase = ready.Ready
	}
}

// register adds a check. A complete tier opens again, and what later tiers
// reported is taken back.
func (m *model) register(t *modelTier, c *modelCheck) {
	c.state, c.groups = ready.Pending, map[string]bool{}
	c.name = fmt.Sprintf("%s-%d", c.shape, len(t.checks))
	t.checks = append(t.checks, c)
	if m.phase != ready.Starting {
		c.state = ready.Late
		return
	}
	after := false
	for _, later := range m.tiers {
		if t.complete && after {
			later.takeBack()
		}
		after = after || later == t
	}
	t.complete = false
	m.settle(false)
}

func (t *modelTier) takeBack() {
	t.complete = false
	for _, c := range t.checks {
		if !c.eager {
			c.state, c.asked, c.epoch = ready.Pending, false, c.epoch+1
			c.expected, c.groups = nil, map[string]bool{}
		}
	}
}

// arrive is what a report does first: where its turn has not come, the boolean
// and channel sources that stand before it are looked at, started or not. Other
// sources cannot be looked at, so a report right behind them is too early.
func (m *model) arrive(t *modelTier) (turn bool) {
	for progress := true; progress && !m.turn(t); {
		progress = false
		for _, before := range m.tiers {
			if before.complete {
				continue
			}
			for _, c := range before.checks {
				if (c.shape == byChan || c.shape == byFunc) && !c.settled() && c.synced {
					c.state, progress = ready.Synced, true
				}
			}
			break
		}
		m.advance()
	}
	turn = m.turn(t)
	m.settle(false)
	return turn
}

// report moves a check that is not settled.
func (m *model) report(c *modelCheck, to ready.State) {
	if !c.settled() {
		c.state = to
	}
	m.settle(false)
}

// races reports whether a report for t may or may not count: it looks at the
// sources before t, and where that makes it the turn of a function whose source
// is synced already, the function may return before the report is judged.
func (m *model) races(t *modelTier) bool {
	for _, before := range m.tiers {
		if before == t {
			return false
		}
		for _, c := range before.checks {
			if (c.shape == byWait || c.shape == byLive) && c.synced && !c.asked && !c.settled() {
				return true
			}
		}
	}
	return false
}

// signal reports a check by hand.
func (m *model) signal(t *modelTier, c *modelCheck) {
	if c.eager || m.arrive(t) {
		m.report(c, ready.Synced)
		return
	}
	m.report(c, ready.Pending)
}

// expect names the groups of a snapshot.
func (m *model) expect(t *modelTier, c *modelCheck, groups []string) {
	if !m.arrive(t) {
		m.report(c, ready.Pending)
		return
	}
	if c.expected == nil {
		c.expected = append([]string{}, groups...)
	}
	c.expected = slices.DeleteFunc(c.expected, func(g string) bool { return !slices.Contains(groups, g) })
	m.judge(c)
}

// settleGroup settles one group of a snapshot.
func (m *model) settleGroup(t *modelTier, c *modelCheck, group string) {
	if m.arrive(t) {
		c.groups[group] = true
		m.judge(c)
	}
}

func (m *model) judge(c *modelCheck) {
	if c.expected == nil {
		m.report(c, ready.Pending)
		return
	}
	for _, group := range c.expected {
		if !c.groups[group] {
			m.report(c, ready.Pending)
			return
		}
	}
	m.report(c, ready.Synced)
}

// token is a computation between Begin and stored.
type token struct {
	check *modelCheck
	turn  bool
	epoch int
}

func (m *model) begin(t *modelTier, c *modelCheck) token {
	return token{c, m.arrive(t), c.epoch}
}

func (m *model) stored(k token) {
	switch {
	case !k.turn:
		m.report(k.check, ready.Pending)
	case k.epoch == k.check.epoch:
		m.report(k.check, ready.Synced)
	}
}

func (t *modelTier) state() ready.State {
	switch {
	case t.late:
		return ready.Late
	case t.unknown:
		return ready.Failed
	case t.complete:
		return ready.Synced
	}
	return ready.Pending
}
