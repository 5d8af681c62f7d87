package ready

import (
	"context"
	"sync"
	"time"
)

// LiveOptions say how a live check is evaluated after opening. All fields may
// stay zero.
type LiveOptions struct {
	// Interval is the time between two evaluations. Zero means 10 s.
	Interval time.Duration
	// Timeout bounds one evaluation. Zero means the interval.
	Timeout time.Duration
	// FailureThreshold is how many failures in a row turn /readyz red. Zero
	// means 3.
	FailureThreshold int
	// SuccessThreshold is how many successes in a row turn it green again.
	// Zero means 2, so that a flapping source does not flap the replica.
	SuccessThreshold int
}

func (o LiveOptions) withDefaults() LiveOptions {
	if o.Interval <= 0 {
		o.Interval = 10 * time.Second
	}
	if o.Timeout <= 0 {
		o.Timeout = o.Interval
	}
	if o.FailureThreshold <= 0 {
		o.FailureThreshold = 3
	}
	if o.SuccessThreshold <= 0 {
		o.SuccessThreshold = 2
	}
	return o
}

// bound returns probe with the timeout applied.
func (o LiveOptions) bound(probe func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, o.Timeout)
		defer cancel()
		return probe(ctx)
	}
}

// watchLive evaluates the live checks from now on.
func (r *Registry) watchLive(ctx context.Context, running *sync.WaitGroup) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.tiers {
		for _, c := range t.checks {
			if c.kind == KindLive && c.state != Late {
				running.Go(func() { r.watch(ctx, c) })
			}
		}
	}
}

// watch evaluates one live check until ctx ends. It reports Failed after a run
// of failures and Synced after a run of successes (hysteresis).
func (r *Registry) watch(ctx context.Context, c *check) {
	ticker := time.NewTicker(c.live.Interval)
	defer ticker.Stop()
	failures, successes := 0, 0
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		err := guard(func() error { return c.wait(ctx) })
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			failures, successes = failures+1, 0
			if failures >= c.live.FailureThreshold {
				r.reportLive(c, Failed, err.Error())
			}
		default:
			failures, successes = 0, successes+1
			if successes >= c.live.SuccessThreshold {
				r.reportLive(c, Synced, "")
			}
		}
	}
}

// reportLive records the state of a live check after opening and moves the
// phase between ready and degraded.
func (r *Registry) reportLive(c *check, to State, message string) {
	message = oneLine(message)
	r.mu.Lock()
	if c.state != to || c.message != message {
		r.emitLocked(Event{Kind: EventCheck, Tier: c.tier.name, Check: c.name, From: string(c.state), To: string(to), Reason: message})
		c.state, c.message = to, message
		reason := reasonRecovered
		if r.liveFailsLocked() {
			reason = reasonFailed
		}
		r.moveLocked(reason)
		r.changedLocked()
	}
	r.mu.Unlock()
	r.deliver()
}

func (r *Registry) liveFailsLocked() bool {
	for _, t := range r.tiers {
		for _, c := range t.checks {
			if c.kind == KindLive && c.state == Failed {
				return true
			}
		}
	}
	return false
}
