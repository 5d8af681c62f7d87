package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"
)

// crash kills one of two replicas, starts it again, and then the other, some
// times. Only the first has half of the proxies: after that the survivor has
// had all of them, and they all leave the one that is killed next.
func (l *lab) crash(ctx context.Context) (err error) {
	l.report.begin(fmt.Sprintf("SIGKILL of one of 2 replicas, %d times: %d simulated proxies, %d Envoys",
		l.crashes, l.proxies, l.size.envoys))
	c, err := l.newCrowd("crash")
	defer func() { err = errors.Join(err, c.disperse()) }()
	if err != nil {
		return err
	}
	if err := c.gather(ctx, 2); err != nil {
		return err
	}
	if _, err := c.fleet.ask(fleetQuestion{Gaps: true}); err != nil { // those of the start are forgotten
		return err
	}
	if err := c.startProber(ctx); err != nil {
		return err
	}
	var meanwhile []span
	for number := range c.crashes {
		victim, survivor := c.replicas[number%2], c.replicas[(number+1)%2]
		c.say("SIGKILL of replica %d; streams: %s", number%2, c.counts(ctx))
		before, err := c.processor(ctx, survivor)
		if err != nil {
			return err
		}
		moving, err := c.moveAll(ctx, victim, survivor)
		if err != nil {
			return err
		}
		after, err := c.processor(ctx, survivor)
		if err != nil {
			return err
		}
		c.report.inform(fmt.Sprintf("SIGKILL %d until all are on the other replica; processor time: %s", number+1, after.since(before)),
			"%.2f s", moving.to.Sub(moving.from).Seconds())
		meanwhile = append(meanwhile, moving)
		if err := victim.start(ctx); err != nil {
			return err
		}
		if err := victim.awaitReady(ctx); err != nil {
			return err
		}
	}
	c.prober.report(&c.report, meanwhile...)
	if err := c.reportGaps(100); err != nil {
		return err
	}
	c.reportTraffic()
	return c.reportSyncs(ctx)
}

// moveAll kills a replica and waits until all proxies are served by the other.
func (c *crowd) moveAll(ctx context.Context, victim, survivor *replica) (moving span, err error) {
	moving.of, moving.from = survivor, time.Now()
	victim.signal(syscall.SIGKILL)
	if err := victim.wait(ctx); err != nil {
		return moving, err
	}
	_, err = c.fleet.await(ctx, "all simulated proxies are on the other replica", func(s fleetState) bool {
		return s.At[survivor.xds] == c.proxies
	})
	if err != nil {
		return moving, err
	}
	err = until(ctx, "all Envoys are as well", func() (bool, error) {
		now, err := survivor.metrics(ctx)
		streams, _ := now.sum("xdsready_streams")
		return int(streams) == c.proxies+c.size.envoys, err
	})
	moving.to = time.Now()
	return moving, err
}
