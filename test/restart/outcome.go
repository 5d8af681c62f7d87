package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// longestGap is how long a proxy may be without a stream.
var longestGap = map[bootstrap]time.Duration{generated: time.Second, stock: 2 * time.Second}

// homecoming is how long a proxy that is between two streams when all is over,
// because a replica has just shed it, may take until it counts as away.
const homecoming = 10 * time.Second

// outcome is what the proxies of one or more crowds noticed, and what it took.
type outcome struct {
	gaps             map[kind][]time.Duration
	away             int // proxies that had no stream at the end, for homecoming
	requests, failed int
	causes           map[string]int
	syncs, limit     float64 // most initial syncs at a time, and how many may be
	busy, idle       answers // of the replica that was watched, and of the idle one
}

// collect ends the traffic and adds what a crowd noticed.
func (o *outcome) collect(ctx context.Context, c *crowd) error {
	if c.traffic != nil {
		c.traffic.stop()
		o.add(c.traffic)
	}
	if err := o.addGaps(ctx, c); err != nil {
		return err
	}
	for number, r := range c.replicas {
		now, err := r.metrics(ctx)
		if err != nil {
			return err
		}
		peak, _ := now.sum("xdsready_initial_syncs_peak")
		limit, known := now.sum("xdsready_initial_syncs_limit")
		if !known {
			return fmt.Errorf("replica %d has no xdsready_initial_syncs_limit", number)
		}
		o.syncs, o.limit = max(o.syncs, peak), limit
	}
	return nil
}

func (o *outcome) add(t *traffic) {
	o.requests += t.requests
	if o.causes == nil {
		o.causes = map[string]int{}
	}
	for cause, n := range t.failed {
		o.failed += n
		o.causes[cause] += n
	}
}

// addGaps adds the gaps of the crowd's proxies, when all of them have a stream.
func (o *outcome) addGaps(ctx context.Context, c *crowd) error {
	if o.gaps == nil {
		o.gaps = map[kind][]time.Duration{}
	}
	away, deadline := 0, time.Now().Add(homecoming)
	err := until(ctx, "all proxies have a stream", func() (bool, error) {
		gaps, without, err := c.gaps()
		for _, g := range gaps {
			o.gaps[g.Kind] = append(o.gaps[g.Kind], g.Length)
		}
		away = without
		return away == 0 || time.Now().After(deadline), err
	})
	o.away += away
	return err
}

// gaps returns the gaps that closed since it was last called, and how many
// proxies are without a stream.
func (c *crowd) gaps() (gaps []gap, away int, err error) {
	state, err := c.fleet.ask(fleetQuestion{Gaps: true})
	if err != nil {
		return nil, 0, err
	}
	gaps, away = state.Gaps, c.simulated-state.Serving
	for _, e := range c.envoys {
		all, served, err := e.gaps()
		if err != nil {
			return nil, 0, err
		}
		if !served {
			away++
		}
		gaps = append(gaps, all[e.told:]...)
		e.told = len(all)
	}
	return gaps, away, nil
}

// addProbes ends a crowd's probes and adds those of the span, beside those that
// the idle replica got at the same time.
func (o *outcome) addProbes(p *prober, s span) {
	p.stop()
	o.busy.add(p.probes, s)
	s.of = p.idle
	o.idle.add(p.probes, s)
}

// reportGaps judges a percentile of the gaps of each kind.
func (o *outcome) reportGaps(r *report, percent int) {
	r.atMost(fmt.Sprintf("proxies without a stream at the end, for %v", homecoming), float64(o.away), 0, "")
	for _, k := range kinds() {
		gaps := o.gaps[k]
		what := fmt.Sprintf("stream gap of %v: %d, p50 %.0f ms, max %.0f ms, p%d",
			k, len(gaps), milliseconds(percentile(gaps, 50)), milliseconds(percentile(gaps, 100)), percent)
		r.atMostTime(what, percentile(gaps, percent), longestGap[k.Bootstrap])
	}
}

func (o *outcome) reportTraffic(r *report) {
	r.inform("requests through the Envoys", "%d", o.requests)
	var causes []string
	for _, cause := range slices.Sorted(maps.Keys(o.causes)) {
		causes = append(causes, fmt.Sprintf("%d times %s", o.causes[cause], cause))
	}
	r.atMost(strings.TrimSpace("failed requests "+strings.Join(causes, "; ")), float64(o.failed), 0, "")
}

func (o *outcome) reportSyncs(r *report) {
	r.atMost("most initial syncs at a time", o.syncs, o.limit, "")
}

func (o *outcome) reportProbes(r *report) {
	r.atMostTime("/readyz meanwhile: "+o.busy.String(), percentile(o.busy.took, 99), slowProbe)
	r.atMost("probes that nobody answered", float64(o.busy.nobody), 0, "")
	r.inform("an idle replica beside it: "+o.idle.String(), "%.4g ms", milliseconds(percentile(o.idle.took, 99)))
}
