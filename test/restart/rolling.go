package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// fairness is how many times its fair share of streams a replica may have.
const fairness = 1.3

// rolling restarts three replicas one after the other, while the config does
// not change.
func (l *lab) rolling(ctx context.Context) (err error) {
	l.report.begin(fmt.Sprintf("Rolling restart of 3 replicas: %d simulated proxies, %d Envoys, drain %v + %v",
		l.simulated, l.real, l.delay, l.window))
	c, err := l.newCrowd("rolling")
	defer func() { err = errors.Join(err, c.disperse()) }()
	if err != nil {
		return err
	}
	if err := c.gather(ctx, 3); err != nil {
		return err
	}
	before, err := c.received(ctx)
	if err != nil {
		return err
	}
	sent, err := c.restartAll(ctx)
	if err != nil {
		return err
	}
	fairAfter, streams, err := c.settle(ctx)
	if err != nil {
		return err
	}
	after, err := c.received(ctx)
	if err != nil {
		return err
	}
	since, err := c.sent(ctx)
	if err != nil {
		return err
	}
	var o outcome
	if err := o.collect(ctx, c); err != nil {
		return err
	}
	r := &l.report
	r.atMost("resource bytes sent by the replicas", sent+since, 0, " B")
	r.atMost("resources received by the simulated proxies", float64(after.resources-before.resources), 0, "")
	r.atMost("updates taken by the Envoys", float64(after.updates-before.updates), 0, "")
	o.reportSyncs(r)
	o.reportGaps(r, 99)
	o.reportTraffic(r)
	r.inform("streams of the replicas", "%v", streams)
	r.inform(fmt.Sprintf("none has more than %g times its fair share after", fairness), "%s", fairAfter)
	r.atMost(fmt.Sprintf("most streams of a replica %v later, in fair shares", c.settling), unfairness(streams), fairness, "")
	return nil
}

// received is what has come to the proxies so far.
type received struct {
	resources int // to the simulated ones
	updates   int // that the Envoys have taken
}

func (c *crowd) received(ctx context.Context) (all received, err error) {
	state, err := c.fleet.ask(fleetQuestion{})
	if err != nil {
		return all, err
	}
	all.resources = state.Resources
	for _, e := range c.envoys {
		n, err := e.updates(ctx)
		if err != nil {
			return all, err
		}
		all.updates += n
	}
	return all, nil
}

// sent returns how many bytes of resources the replicas have sent since each
// started.
func (c *crowd) sent(ctx context.Context) (bytes float64, err error) {
	for _, r := range c.replicas {
		now, err := r.metrics(ctx)
		if err != nil {
			return 0, err
		}
		n, _ := now.sum("xdsready_response_bytes_total")
		bytes += n
	}
	return bytes, nil
}

// restartAll restarts one replica after the other, and returns how many bytes of
// resources they have sent meanwhile, until each one's end.
func (c *crowd) restartAll(ctx context.Context) (bytes float64, err error) {
	last, err := c.sent(ctx)
	if err != nil {
		return 0, err
	}
	for number, r := range c.replicas {
		now, err := c.sent(ctx)
		if err != nil {
			return 0, err
		}
		bytes += now - last
		c.say("replica %d restarts; streams: %s", number, c.counts(ctx))
		took, err := r.restart(ctx)
		if err != nil {
			return 0, err
		}
		c.report.inform(fmt.Sprintf("replica %d, from SIGTERM to exit code 0", number), "%.1f s", took.Seconds())
		if last, err = c.sent(ctx); err != nil {
			return 0, err
		}
	}
	c.say("all are restarted; streams: %s", c.counts(ctx))
	return bytes, nil
}

// streams returns how many streams each replica has.
func (c *crowd) streams(ctx context.Context) (streams []int, err error) {
	for _, r := range c.replicas {
		now, err := r.metrics(ctx)
		if err != nil {
			return nil, err
		}
		n, _ := now.sum("xdsready_streams")
		streams = append(streams, int(n))
	}
	return streams, nil
}

// counts is streams in words, for progress.
func (c *crowd) counts(ctx context.Context) string {
	streams, err := c.streams(ctx)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(streams)
}

// settle waits, and returns after how long the streams were shared fairly for
// good, and their numbers at the end.
func (c *crowd) settle(ctx context.Context) (fairAfter string, streams []int, err error) {
	from, unfairUntil := time.Now(), time.Duration(0)
	for time.Since(from) < c.settling {
		if err := pause(ctx, time.Second); err != nil {
			return "", nil, err
		}
		if streams, err = c.streams(ctx); err != nil {
			return "", nil, err
		}
		if unfairness(streams) > fairness {
			unfairUntil = time.Since(from)
		}
	}
	if unfairness(streams) > fairness {
		return "never", streams, nil
	}
	return fmt.Sprintf("%.0f s", unfairUntil.Seconds()), streams, nil
}

// unfairness is how many fair shares the replica with most streams has.
func unfairness(streams []int) float64 {
	sum := 0
	for _, n := range streams {
		sum += n
	}
	if sum == 0 {
		return 0
	}
	return float64(slices.Max(streams)*len(streams)) / float64(sum)
}
