package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// cold opens a gate in front of proxies that hold nothing and are held by it, some
// times: all is over in so short a time that the worst of few probes would decide.
func (l *lab) cold(ctx context.Context) error {
	r := &l.report
	r.begin(fmt.Sprintf("A gate opens in front of %d simulated proxies that hold nothing, %d times", l.simulated, l.openings))
	var o outcome
	for number := range l.openings {
		if err := l.openOnce(ctx, number, &o); err != nil {
			return err
		}
	}
	o.reportProbes(r)
	o.reportSyncs(r)
	return nil
}

func (l *lab) openOnce(ctx context.Context, number int, o *outcome) (err error) {
	c, err := l.newCrowd(fmt.Sprintf("cold-%d", number))
	defer func() { err = errors.Join(err, c.disperse()) }()
	if err != nil {
		return err
	}
	fault, err := c.gatherHeld(ctx)
	if err != nil {
		return err
	}
	opening := c.replicas[0]
	if err := c.startProber(ctx, opening); err != nil {
		return err
	}
	c.say("the gate opens")
	before, err := c.processor(ctx, opening)
	if err != nil {
		return err
	}
	from := time.Now()
	if err := os.Remove(fault); err != nil {
		return err
	}
	if _, err := c.fleet.awaitLoaded(ctx); err != nil {
		return err
	}
	to := time.Now()
	after, err := c.processor(ctx, opening)
	if err != nil {
		return err
	}
	l.report.inform(fmt.Sprintf("opening %d until all have their config; processors: %s", number+1, after.since(before)),
		"%.2f s", to.Sub(from).Seconds())
	o.addProbes(c.prober, span{opening, from, to})
	return o.collect(ctx, c)
}

// gatherHeld starts a replica and simulated proxies, and waits until it holds
// them all. Its gate opens when the file that it returns is removed.
func (c *crowd) gatherHeld(ctx context.Context) (fault string, err error) {
	if err := writeConfig(c.config, c.services, c.backend); err != nil {
		return "", err
	}
	fault = filepath.Join(c.config, "fault.yaml")
	if err := os.WriteFile(fault, []byte("resources: no list"), 0o600); err != nil {
		return "", err
	}
	if err := c.startReplicas(ctx, 1, "--admission", "hold"); err != nil {
		return "", err
	}
	opening := c.replicas[0]
	if err := c.startFleet(ctx); err != nil {
		return "", err
	}
	return fault, until(ctx, "all proxies are held", func() (bool, error) {
		now, _ := opening.metrics(ctx) // which does not answer at first
		return int(now[`xdsready_streams{state="held"}`]) == c.simulated, opening.alive()
	})
}
