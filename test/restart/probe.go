package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// The probes of a scene: how often each replica is asked, and how long an answer
// may take while proxies arrive.
const (
	probeInterval = 5 * time.Millisecond
	slowProbe     = 50 * time.Millisecond
)

// prober asks /readyz of two replicas at fixed times, whether earlier probes
// have been answered or not, so that a slow answer hides no other.
type prober struct {
	idle    *replica // without proxies: what it shares with the other is the machine
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu     sync.Mutex // guards probes
	probes []probe
}

// probe is one question and how it went.
type probe struct {
	of       *replica
	at       time.Time
	took     time.Duration
	answered bool // with any status
}

// startProber starts an idle replica, then the probes of it and of the busy one,
// and lets them run for a while.
func (c *crowd) startProber(ctx context.Context, busy *replica) error {
	quiet := filepath.Join(c.directory, "quiet")
	if err := writeConfig(quiet, 1, c.backend); err != nil {
		return err
	}
	idle, err := c.newReplica(ctx, "idle", quiet)
	if err != nil {
		return err
	}
	if err := idle.start(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	c.prober = &prober{idle: idle, cancel: cancel}
	if err := idle.awaitReady(ctx); err != nil {
		return err
	}
	for _, r := range []*replica{idle, busy} {
		c.prober.running.Go(func() { c.prober.run(ctx, r) })
	}
	return pause(ctx, c.warming)
}

func (p *prober) run(ctx context.Context, r *replica) {
	ticker := time.NewTicker(probeInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			p.running.Go(func() { p.ask(ctx, r) })
		case <-ctx.Done():
			return
		}
	}
}

func (p *prober) ask(ctx context.Context, r *replica) {
	began := time.Now()
	_, _, err := get(ctx, "http://"+r.http+"/readyz")
	result := probe{r, began, time.Since(began), err == nil}
	if ctx.Err() != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.probes = append(p.probes, result)
}

// stop ends the probes.
func (p *prober) stop() {
	p.cancel()
	p.running.Wait()
}

// end ends the idle replica as well.
func (p *prober) end() {
	p.stop()
	p.idle.end()
}

// span is a time in which probes of a replica count.
type span struct {
	of       *replica
	from, to time.Time
}

// answers is how long answered probes took, and how many others there were.
type answers struct {
	took   []time.Duration
	nobody int
}

// add adds the probes that began in the span.
func (a *answers) add(probes []probe, s span) {
	for _, p := range probes {
		switch {
		case p.of != s.of || p.at.Before(s.from) || p.at.After(s.to):
		case p.answered:
			a.took = append(a.took, p.took)
		default:
			a.nobody++
		}
	}
}

// String is for figures that end with the 99th percentile.
func (a *answers) String() string {
	return fmt.Sprintf("%d probes, p50 %.1f ms, max %.1f ms, p99", len(a.took),
		milliseconds(percentile(a.took, 50)), milliseconds(percentile(a.took, 100)))
}

// percentile returns the smallest sample that percent of the samples do not
// exceed; 0 if there is none. It sorts them.
func percentile(samples []time.Duration, percent int) time.Duration {
	if len(samples) == 0 {
		return 0
	}
	slices.Sort(samples)
	rank := (len(samples)*percent + 99) / 100 // rounded up
	return samples[max(rank, 1)-1]
}
