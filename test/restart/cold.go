package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// cold opens a gate in front of proxies that hold nothing and were held by it.
func (l *lab) cold(ctx context.Context) (err error) {
	l.report.begin(fmt.Sprintf("A gate opens in front of %d simulated proxies that hold nothing", l.proxies))
	c, err := l.newCrowd("cold")
	defer func() { err = errors.Join(err, c.disperse()) }()
	if err != nil {
		return err
	}
	if err := writeConfig(c.config, c.services, c.backend); err != nil {
		return err
	}
	fault := filepath.Join(c.config, "fault.yaml") // which keeps the gate shut
	if err := os.WriteFile(fault, []byte("resources: no list"), 0o600); err != nil {
		return err
	}
	if err := c.startReplicas(ctx, 1, "--admission", "hold"); err != nil {
		return err
	}
	opening := c.replicas[0]
	if err := c.startFleet(ctx); err != nil {
		return err
	}
	err = until(ctx, "all proxies are held", func() (bool, error) {
		now, _ := opening.metrics(ctx) // it may not answer yet
		return int(now[`xdsready_streams{state="held"}`]) == c.proxies, opening.alive()
	})
	if err != nil {
		return err
	}
	if err := c.startProber(ctx); err != nil {
		return err
	}
	c.say("the gate opens")
	before, err := c.processor(ctx, opening)
	if err != nil {
		return err
	}
	opened := time.Now()
	if err := os.Remove(fault); err != nil {
		return err
	}
	if _, err := c.fleet.awaitLoaded(ctx); err != nil {
		return err
	}
	after, err := c.processor(ctx, opening)
	if err != nil {
		return err
	}
	c.report.inform("from the mending of a fault that kept it shut until all have their config; processor time: "+after.since(before), "%.1f s", time.Since(opened).Seconds())
	c.prober.report(&c.report, span{opening, opened, time.Now()})
	return c.reportSyncs(ctx)
}
