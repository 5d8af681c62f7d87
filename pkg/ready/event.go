package ready

import (
	"context"
	"log/slog"
	"time"
)

// EventKind says what an Event is about.
type EventKind string

// The kinds of events.
const (
	EventCheck    EventKind = "check"    // a check changed its state, or failed for another reason
	EventTier     EventKind = "tier"     // a tier became complete, or incomplete by a new check
	EventPhase    EventKind = "phase"    // the registry changed its phase
	EventDeadline EventKind = "deadline" // the start deadline passed with the gate still shut
)

// Event is one transition. Events of a registry are delivered one at a time
// and in the order in which they happened.
type Event struct {
	Kind    EventKind
	Time    time.Time
	Tier    string        // empty for EventPhase and EventDeadline
	Check   string        // empty unless Kind is EventCheck
	From    string        // the state or phase before
	To      string        // the state or phase after
	Reason  string        // why: a check's error, the reason of a phase change
	Elapsed time.Duration // how long the check or tier took, or the registry has been up
}

// emitLocked queues an event; deliver sends it once mu is free.
func (r *Registry) emitLocked(e Event) {
	e.Time = time.Now()
	r.events = append(r.events, e)
}

// deliver logs the queued events and hands them to the event hook. Whoever
// finds nobody delivering does it for all, so that order needs no goroutine and
// the hook runs under no lock and may call the registry.
func (r *Registry) deliver() {
	r.mu.Lock()
	if r.delivering {
		r.mu.Unlock()
		return
	}
	r.delivering = true
	for len(r.events) > 0 {
		batch := r.events
		r.events = nil
		r.mu.Unlock()
		for _, e := range batch {
			r.log(e)
			r.tell(e)
		}
		r.mu.Lock()
	}
	r.delivering = false
	r.mu.Unlock()
}

// tell calls the event hook. A hook that panics must not keep the events after
// it from the log.
func (r *Registry) tell(e Event) {
	if r.options.OnEvent == nil {
		return
	}
	if err := guard(func() error { r.options.OnEvent(e); return nil }); err != nil {
		r.options.Logger.Error("the readiness event hook failed", "error", err)
	}
}

// log writes one line for one transition.
func (r *Registry) log(e Event) {
	level := slog.LevelInfo
	switch {
	case e.To == string(Failed), e.To == string(Skipped), e.To == string(Late),
		e.To == string(Degraded), e.Kind == EventDeadline:
		level = slog.LevelWarn
	}
	attrs := []slog.Attr{}
	for _, a := range []slog.Attr{
		slog.String("tier", e.Tier), slog.String("check", e.Check),
		slog.String("from", e.From), slog.String("to", e.To), slog.String("reason", e.Reason),
	} {
		if a.Value.String() != "" {
			attrs = append(attrs, a)
		}
	}
	attrs = append(attrs, slog.Float64("seconds", seconds(e.Elapsed)))
	r.options.Logger.LogAttrs(context.Background(), level, "readiness "+string(e.Kind), attrs...)
}
