package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// fairness is how many times its fair share of streams a replica may have.
const fairness = 1.3

// rolling restarts three replicas one after the other, while the config does
// not change.
func (l *lab) rolling(ctx context.Context) (err error) {
	l.report.begin(fmt.Sprintf("Rolling restart of 3 replicas: %d simulated proxies, %d Envoys, drain %v + %v",
		l.proxies, l.size.envoys, l.delay, l.window))
	c, err := l.newCrowd("rolling")
	defer func() { err = errors.Join(err, c.disperse()) }()
	if err != nil {
		return err
	}
	if err := c.gather(ctx, 3); err != nil {
		return err
	}
	before, err := c.mark(ctx)
	if err != nil {
		return err
	}
	sent := 0.0
	for i, r := range c.replicas {
		at, err := r.metrics(ctx)
		if err != nil {
			return err
		}
		bytes, _ := at.sum(responseBytes)
		sent += bytes - before.bytes[i]
		c.say("replica %d restarts; streams: %s", i, c.counts(ctx))
		drained, err := r.restart(ctx)
		if err != nil {
			return err
		}
		c.report.inform(fmt.Sprintf("replica %d: SIGTERM to exit code 0", i), "%.1f s", drained.Seconds())
	}
	last := time.Now()
	c.say("all are restarted; streams: %s", c.counts(ctx))
	fairAfter, streams, err := c.settle(ctx, last)
	if err != nil {
		return err
	}
	for _, r := range c.replicas {
		now, err := r.metrics(ctx)
		if err != nil {
			return err
		}
		bytes, _ := now.sum(responseBytes)
		sent += bytes
	}
	c.report.atMost("resource bytes sent, by the replicas' metrics", sent, 0, " B")
	if err := c.reportReceived(ctx, before); err != nil {
		return err
	}
	if err := c.reportSyncs(ctx); err != nil {
		return err
	}
	if err := c.reportGaps(99); err != nil {
		return err
	}
	c.reportTraffic()
	c.report.inform("streams of the replicas", "%s", joined(streams))
	c.report.inform("none has more than 1.3 times its share after", "%s", fairAfter)
	c.report.atMost(fmt.Sprintf("most streams of a replica %v after the last restart, by its fair share", c.settling),
		unfairness(streams), fairness, "")
	return nil
}

const responseBytes = "xdsready_response_bytes_total"

// marked is what had come to the proxies when all had their config.
type marked struct {
	received
	bytes   []float64 // of resources, sent by each replica
	updates int       // taken by the Envoys
}

func (c *crowd) mark(ctx context.Context) (m marked, err error) {
	state, err := c.fleet.ask(fleetQuestion{Gaps: true}) // those of the start are forgotten
	if err != nil {
		return m, err
	}
	m.received = state.received
	for _, r := range c.replicas {
		now, err := r.metrics(ctx)
		if err != nil {
			return m, err
		}
		bytes, _ := now.sum(responseBytes)
		m.bytes = append(m.bytes, bytes)
	}
	m.updates, err = c.updates(ctx)
	return m, err
}

// updates returns how many updates all Envoys have taken.
func (c *crowd) updates(ctx context.Context) (sum int, err error) {
	for _, e := range c.envoys {
		n, err := e.updates(ctx)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// reportReceived reports what has come to the proxies since the mark.
func (c *crowd) reportReceived(ctx context.Context, before marked) error {
	state, err := c.fleet.ask(fleetQuestion{})
	if err != nil {
		return err
	}
	updates, err := c.updates(ctx)
	c.report.atMost("resources received by the simulated proxies", float64(state.Resources-before.Resources), 0, "")
	c.report.atMost("resource bytes received by them", float64(state.ResourceBytes-before.ResourceBytes), 0, " B")
	c.report.atMost("updates taken by the Envoys", float64(updates-before.updates), 0, "")
	return err
}

// reportSyncs reports how many initial syncs the replicas have let run at a time
// since they started.
func (c *crowd) reportSyncs(ctx context.Context) error {
	for i, r := range c.replicas {
		now, err := r.metrics(ctx)
		if err != nil {
			return err
		}
		peak, _ := now.sum("xdsready_initial_syncs_peak")
		limit, known := now.sum("xdsready_initial_syncs_limit")
		if !known {
			return fmt.Errorf("replica %d has no xdsready_initial_syncs_limit", i)
		}
		c.report.atMost(fmt.Sprintf("replica %d: most initial syncs at a time", i), peak, limit, "")
	}
	return nil
}

// longestGap is how long a proxy may be without a stream.
var longestGap = map[bootstrap]time.Duration{generated: time.Second, stock: 2 * time.Second}

// reportGaps reports the gaps of each kind, and judges a percentile of them.
func (c *crowd) reportGaps(percent int) error {
	state, err := c.fleet.ask(fleetQuestion{Gaps: true})
	if err != nil {
		return err
	}
	lengths, away := map[kind][]time.Duration{}, c.proxies-state.Serving
	for _, g := range state.Gaps {
		lengths[g.Kind] = append(lengths[g.Kind], g.Length)
	}
	for _, e := range c.envoys {
		gaps, served, err := e.gaps()
		if err != nil {
			return err
		}
		if !served {
			away++
		}
		for _, g := range gaps {
			lengths[e.kind] = append(lengths[e.kind], g.Length)
		}
	}
	c.report.atMost("proxies without a stream at the end", float64(away), 0, "")
	for _, k := range kinds() {
		of := lengths[k]
		what := fmt.Sprintf("stream gap: %v: %d gaps, p50 %.0f ms, max %.0f ms, p%d",
			k, len(of), milliseconds(percentile(of, 50)), milliseconds(percentile(of, 100)), percent)
		c.report.atMostTime(what, percentile(of, percent), longestGap[k.Bootstrap])
	}
	return nil
}

func (c *crowd) reportTraffic() {
	requests, failed, causes := c.traffic.stop()
	c.report.inform("requests through the Envoys", "%d", requests)
	c.report.atMost("failed requests "+causes, float64(failed), 0, "")
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
	return joined(streams)
}

func joined(numbers []int) string {
	return strings.Trim(fmt.Sprint(numbers), "[]")
}

// settle waits as long as settling takes from then, and returns after how long
// the streams were shared fairly for good, and their numbers at the end.
func (c *crowd) settle(ctx context.Context, from time.Time) (fairAfter string, streams []int, err error) {
	unfairUntil := time.Duration(0)
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
	return unfairUntil.Round(time.Second).String(), streams, nil
}

// unfairness is by how many times the replica with most streams exceeds its fair
// share.
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
