package ready

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Status is what a registry knows at one moment. Its JSON form is the body of
// /readyz?format=json.
type Status struct {
	Ready   bool         `json:"ready"`             // /readyz is green
	Open    bool         `json:"open"`              // streams are admitted
	Phase   Phase        `json:"phase"`             // starting, ready, degraded or draining
	Message string       `json:"message,omitempty"` // a fault of the whole, as a missed start deadline
	Uptime  float64      `json:"uptimeSeconds"`     // since New
	Tiers   []TierStatus `json:"tiers"`             // in order
}

// TierStatus is the state of one tier.
type TierStatus struct {
	Name    string        `json:"name"`
	State   State         `json:"state"`             // Pending or Synced; Failed or Late for an unknown name
	Message string        `json:"message,omitempty"` // why it is not complete, where the checks do not say it
	Seconds float64       `json:"seconds"`           // how long it took from its turn on; so far, while pending
	Checks  []CheckStatus `json:"checks"`            // in order of registration
}

// CheckStatus is the state of one check.
type CheckStatus struct {
	Name    string  `json:"name"`
	Kind    Kind    `json:"kind"`
	State   State   `json:"state"`
	Message string  `json:"message,omitempty"` // why it is not synced; one line
	Seconds float64 `json:"seconds"`           // how long it took from its turn on; so far, while pending
}

// seconds is d to the microsecond, for people, JSON and metrics.
func seconds(d time.Duration) float64 {
	return float64(d.Round(time.Microsecond).Microseconds()) / 1e6 // d.Seconds() is a little off
}

// Status returns the present state.
func (r *Registry) Status() Status {
	if r == nil {
		return Status{Ready: true, Open: true, Phase: Ready, Tiers: []TierStatus{}}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s := Status{
		Ready: r.gate.ready(), Open: r.gate.open(), Phase: r.phase,
		Message: r.faultLocked(), Uptime: seconds(time.Since(r.created)), Tiers: []TierStatus{},
	}
	for _, t := range r.tiers {
		s.Tiers = append(s.Tiers, t.statusLocked())
	}
	return s
}

func (t *Tier) statusLocked() TierStatus {
	s := TierStatus{
		Name: t.name, State: t.stateLocked(), Message: t.messageLocked(),
		Seconds: seconds(elapsed(t.began, t.ended)), Checks: []CheckStatus{},
	}
	for _, c := range t.checks {
		s.Checks = append(s.Checks, CheckStatus{
			Name: c.name, Kind: c.kind, State: c.state, Message: c.messageLocked(),
			Seconds: seconds(elapsed(c.began, c.ended)),
		})
	}
	return s
}

func (t *Tier) stateLocked() State {
	switch {
	case t.late:
		return Late
	case t.unknown:
		return Failed
	case t.ended.IsZero():
		return Pending
	}
	return Synced
}

// elapsed is how long something took, or has taken so far: 0 before its turn.
func elapsed(began, ended time.Time) time.Duration {
	switch {
	case began.IsZero():
		return 0
	case ended.IsZero():
		return time.Since(began)
	}
	return ended.Sub(began)
}

// messageLocked says why a tier is pending where its checks do not.
func (t *Tier) messageLocked() string {
	if !t.ended.IsZero() {
		return ""
	}
	if t.late {
		return "asked for after opening: it never gates"
	}
	if t.unknown {
		return fmt.Sprintf("unknown tier: the registry was made with %s", list(t.registry.namesLocked()))
	}
	if len(t.checks) == 0 {
		return "nothing registered"
	}
	if t.began.IsZero() {
		return "waits for " + t.registry.currentLocked()
	}
	return ""
}

// messageLocked is the check's own reason, or else what it waits for.
func (c *check) messageLocked() string {
	if c.message != "" || c.state != Pending {
		return c.message
	}
	if c.tier.began.IsZero() && !c.eager {
		return "waits for " + c.tier.registry.currentLocked()
	}
	if c.snapshot != nil {
		return "inputs are complete, waits for a snapshot computed after them"
	}
	return ""
}

// currentLocked names the first incomplete tier.
func (r *Registry) currentLocked() string {
	for _, t := range r.tiers {
		if t.ended.IsZero() {
			return t.name
		}
	}
	return ""
}

// namesLocked are the tiers that New was given.
func (r *Registry) namesLocked() []string {
	var names []string
	for _, t := range r.tiers {
		if !t.unknown {
			names = append(names, t.name)
		}
	}
	return names
}

// faultLocked says what is wrong with the whole.
func (r *Registry) faultLocked() string {
	switch {
	case r.phase == Starting && !r.started:
		return "the registry is not started"
	case r.phase == Starting && r.late:
		return fmt.Sprintf("start deadline of %v exceeded", r.options.Deadline)
	}
	return ""
}

// verdict is the plain answer to "is it ready, and why not", rendered once for
// each change, so that a probe costs the same with 1 and with 1,000 checks.
type verdict struct {
	ready, open bool
	reason      string // one line; empty when ready
	body        []byte // of a plain /readyz
}

// current returns the verdict and renders it if there was a change.
func (r *Registry) current() *verdict {
	if v := r.verdict.Load(); v != nil {
		return v
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	v := &verdict{ready: r.gate.ready(), open: r.gate.open()}
	v.body = okBody
	if !v.ready {
		v.reason = r.reasonLocked()
		v.body = []byte("not ready: " + v.reason + "\n")
	}
	r.verdict.Store(v) // under mu, so that no change falls between
	return v
}

func (r *Registry) reason() string { return r.current().reason }

// reasonLocked says in one line why the registry is not ready.
func (r *Registry) reasonLocked() string {
	var reasons []string
	if fault := r.faultLocked(); fault != "" {
		reasons = append(reasons, fault)
	}
	if r.phase == Draining {
		reasons = append(reasons, "draining")
	}
	for _, t := range r.tiers {
		if why := t.reasonLocked(); why != "" && r.phase != Draining {
			reasons = append(reasons, why)
		}
	}
	return strings.Join(reasons, "; ")
}

// reasonLocked names what the tier waits for, empty if nothing.
func (t *Tier) reasonLocked() string {
	if t.late {
		return ""
	}
	if message := t.messageLocked(); message != "" {
		return t.name + ": " + message
	}
	var pending []string
	for _, c := range t.checks {
		switch message := c.messageLocked(); {
		case c.state.settled():
		case message == "":
			pending = append(pending, fmt.Sprintf("%s %s", c.name, c.state))
		default:
			pending = append(pending, fmt.Sprintf("%s %s (%s)", c.name, c.state, message))
		}
	}
	if len(pending) == 0 {
		return ""
	}
	return t.name + ": " + list(pending)
}

// list joins names, and says how many it leaves out of a long list.
func list(names []string) string {
	const most = 10
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// Ready reports whether /readyz is green: the gate is open, live checks are
// good and nothing drains. It is one atomic load.
func (r *Registry) Ready() bool { return r == nil || r.gate.ready() }

// Open reports whether streams are admitted. It latches: only a drain that has
// ended its delay, or the end of the run, shuts the gate again. It is one
// atomic load.
func (r *Registry) Open() bool { return r == nil || r.gate.open() }

// Phase returns the present phase.
func (r *Registry) Phase() Phase {
	if r == nil {
		return Ready
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.phase
}

// Opened returns a channel that is closed when the gate opens, and stays so.
func (r *Registry) Opened() <-chan struct{} {
	if r == nil {
		return always
	}
	return r.opened
}

// Changed returns a channel that is closed at the next change of the Status.
// Take it before reading, so that no change is missed:
//
//	for {
//		changed := registry.Changed()
//		use(registry.Status())
//		<-changed
//	}
func (r *Registry) Changed() <-chan struct{} {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.changed
}

// Err returns nil when the registry is ready, and otherwise an error that names
// the pending tiers and checks with their reasons, in one line.
func (r *Registry) Err() error {
	if r == nil {
		return nil
	}
	if v := r.current(); !v.ready {
		return errors.New("not ready: " + v.reason)
	}
	return nil
}

// AdmissionErr returns nil when the gate is open, and otherwise an error with
// Err's reasons: the text of a refused stream.
func (r *Registry) AdmissionErr() error {
	if r.Open() {
		return nil
	}
	if v := r.current(); !v.open {
		return errors.New("xdsready: gate is shut: " + v.reason)
	}
	return nil // it has opened meanwhile
}

// oneLine joins the lines of a message, as errors.Join makes them, and cuts off
// what no log line or gRPC status should carry.
func oneLine(message string) string {
	const most = 2048
	message = strings.Join(strings.FieldsFunc(message, func(c rune) bool { return c == '\n' || c == '\r' }), "; ")
	if len(message) > most {
		message = strings.ToValidUTF8(message[:most], "") + "…"
	}
	return message
}
