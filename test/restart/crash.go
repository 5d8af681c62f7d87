package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"
)

// crash kills one of two replicas, some times, each time with new ones.
func (l *lab) crash(ctx context.Context) error {
	r := &l.report
	r.begin(fmt.Sprintf("SIGKILL of one of 2 replicas, %d times: %d simulated proxies, %d Envoys", l.crashes, l.simulated, l.real))
	var o outcome
	for number := range l.crashes {
		if err := l.crashOnce(ctx, number, &o); err != nil {
			return err
		}
	}
	o.reportProbes(r)
	o.reportSyncs(r)
	o.reportGaps(r, 100)
	o.reportTraffic(r)
	return nil
}

func (l *lab) crashOnce(ctx context.Context, number int, o *outcome) (err error) {
	c, err := l.newCrowd(fmt.Sprintf("crash-%d", number))
	defer func() { err = errors.Join(err, c.disperse()) }()
	if err != nil {
		return err
	}
	if err := c.gather(ctx, 2); err != nil {
		return err
	}
	victim, survivor := c.replicas[0], c.replicas[1]
	if err := c.startProber(ctx, survivor); err != nil {
		return err
	}
	c.say("SIGKILL of replica 0; streams: %s", c.counts(ctx))
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
	l.report.inform(fmt.Sprintf("kill %d until all are on the other replica; processors: %s", number+1, after.since(before)),
		"%.2f s", moving.to.Sub(moving.from).Seconds())
	o.addProbes(c.prober, moving)
	c.replicas = c.replicas[1:]
	return o.collect(ctx, c)
}

// moveAll kills a replica and waits until all proxies are served by the other.
func (c *crowd) moveAll(ctx context.Context, victim, survivor *replica) (moving span, err error) {
	moving.of, moving.from = survivor, time.Now()
	victim.signal(syscall.SIGKILL)
	if err := victim.wait(ctx); err != nil {
		return moving, err
	}
	_, err = c.fleet.await(ctx, "all simulated proxies are on the other replica", func(s fleetState) bool {
		return s.At[survivor.xds] == c.simulated
	})
	if err != nil {
		return moving, err
	}
	err = until(ctx, "all Envoys are as well", func() (bool, error) {
		now, err := survivor.metrics(ctx)
		streams, _ := now.sum("xdsready_streams")
		return int(streams) == c.simulated+c.real, err
	})
	moving.to = time.Now()
	return moving, err
}
