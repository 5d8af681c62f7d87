package ready_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/xdsready/xdsready/pkg/ready"
	"github.com/xdsready/xdsready/pkg/ready/readytest"
)

// gatherer returns a metrics registry, which checks what it collects, with r.
func gatherer(t *testing.T, r *ready.Registry) prometheus.Gatherer {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(r); err != nil {
		t.Fatal(err)
	}
	return registry
}

// exposition renders what a scrape would show.
func exposition(t *testing.T, g prometheus.Gatherer) string {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatalf("gathering: %v", err)
	}
	var b strings.Builder
	for _, family := range families {
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %[1]s %[3]s\n", family.GetName(), family.GetHelp(), strings.ToLower(family.GetType().String()))
		for _, metric := range family.GetMetric() {
			var labels []string
			for _, label := range metric.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%q", label.GetName(), label.GetValue()))
			}
			set := ""
			if len(labels) > 0 {
				set = "{" + strings.Join(labels, ",") + "}"
			}
			fmt.Fprintf(&b, "%s%s %v\n", family.GetName(), set, metric.GetGauge().GetValue()+metric.GetCounter().GetValue())
		}
	}
	return b.String()
}

// scene brings a registry to a state that has something of everything: a
// complete tier, a skipped check, a failed and a pending one, a watch error and
// a missed deadline.
func scene(t *testing.T) *ready.Registry {
	t.Helper()
	options := quiet()
	options.Deadline = 20 * time.Second
	r := ready.NewWithOptions(options, "process", "informers", "snapshot")
	listeners := r.Tier("process").Signal("listeners")
	r.Tier("informers").
		Chan("endpointslices", readytest.NewSource("endpointslices").Done()).
		Chan("services", readytest.NewSource("services").Done(), ready.Listed(func() bool { return true })).
		Wait("remote", func(context.Context) error { return errors.New("no route to host") }, ready.Optional(time.Second)).
		Func("pods", func() bool { return true })
	r.Tier("snapshot").Snapshot("xds")
	start(t, r)
	time.Sleep(1500 * time.Millisecond)
	listeners()
	time.Sleep(30 * time.Second)
	ready.WatchErrors[reflector](r, nil)(t.Context(), "*v1.EndpointSlice", errForbidden)
	synctest.Wait()
	return r
}

func TestExposition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lines := strings.SplitAfter(exposition(t, gatherer(t, scene(t))), "\n")
		lines = slices.DeleteFunc(lines, func(line string) bool { return strings.HasPrefix(line, "xdsready_build_info{") })
		golden(t, "metrics.txt", "all metrics of a start that takes too long; build_info without its sample", strings.Join(lines, ""))
	})
}

func TestMetricsPassPromlint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		families, err := gatherer(t, scene(t)).Gather()
		if err != nil {
			t.Fatal(err)
		}
		problems, err := promlint.NewWithMetricFamilies(families).Lint()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range problems {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	})
}

// Label values are names that the program chooses, and closed sets: no text of
// an error, no group and no proxy is one.
func TestLabelValuesAreClosed(t *testing.T) {
	closed := map[string][]string{
		"phase":    {"starting", "ready", "degraded", "draining"},
		"from":     {"starting", "ready", "degraded", "draining"},
		"to":       {"starting", "ready", "degraded", "draining"},
		"reason":   {"synced", "live_failed", "live_recovered", "drain"},
		"tier":     {"inputs", "snapshot"},
		"check":    {"pods", "xds"},
		"resource": {"*v1.Pod"},
	}
	r := ready.NewWithOptions(quiet())
	pods := r.Tier("inputs").Signal("pods")
	ready.WatchErrors[reflector](r, nil)(t.Context(), "*v1.Pod", errForbidden)
	pods()
	s := r.Tier("snapshot").Snapshot("xds")
	s.Expect("group")
	s.Fail("group", errForbidden)
	families, err := gatherer(t, r).Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			for _, label := range metric.GetLabel() {
				values, known := closed[label.GetName()]
				if family.GetName() != "xdsready_build_info" && (!known || !slices.Contains(values, label.GetValue())) {
					t.Errorf("%s has %s=%q, which is of no closed set", family.GetName(), label.GetName(), label.GetValue())
				}
			}
		}
	}
}

func TestMetricsFollowThePhases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready.NewWithOptions(quiet(), "inputs")
		var p probe
		r.Tier("inputs").Live("xds", p.ask, ready.LiveOptions{Interval: time.Second})
		g := gatherer(t, r)
		wantText(t, "before the start", exposition(t, g), "xdsready_ready 0\n", "xdsready_open 0\n",
			`xdsready_phase{phase="starting"} 1`, `xdsready_tier_synced{tier="inputs"} 0`,
			`xdsready_transitions_total{from="starting",reason="synced",to="ready"} 0`)
		ctx, cancel := context.WithCancel(t.Context())
		drained := r.WithDrain(ctx, time.Second)
		ended := make(chan error, 1)
		go func() { ended <- r.Start(drained) }()
		synctest.Wait()
		wantText(t, "ready", exposition(t, g), "xdsready_ready 1\n", "xdsready_open 1\n",
			`xdsready_phase{phase="ready"} 1`, `xdsready_phase{phase="starting"} 0`,
			`xdsready_tier_synced{tier="inputs"} 1`, `xdsready_check_synced{check="xds",tier="inputs"} 1`,
			`xdsready_transitions_total{from="starting",reason="synced",to="ready"} 1`)
		p.set(errors.New("no"))
		after(3, time.Second)
		wantText(t, "degraded", exposition(t, g), "xdsready_ready 0\n", "xdsready_open 1\n",
			`xdsready_phase{phase="degraded"} 1`, `xdsready_check_synced{check="xds",tier="inputs"} 0`,
			`xdsready_transitions_total{from="ready",reason="live_failed",to="degraded"} 1`)
		p.set(nil)
		after(2, time.Second)
		cancel()
		synctest.Wait()
		wantText(t, "draining", exposition(t, g), "xdsready_ready 0\n", "xdsready_open 1\n",
			`xdsready_phase{phase="draining"} 1`,
			`xdsready_transitions_total{from="degraded",reason="live_recovered",to="ready"} 1`,
			`xdsready_transitions_total{from="ready",reason="drain",to="draining"} 1`)
		if err := <-ended; err != nil {
			t.Errorf("Start = %v, want nil", err)
		}
		wantText(t, "ended", exposition(t, g), "xdsready_open 0\n")
	})
}

// Whatever names a program gives, a scrape must work: Collect runs on a goroutine
// of the metrics registry, where a panic ends the process.
func TestMetricsOfANameThatIsNotUTF8(t *testing.T) {
	defer func() {
		if p := recover(); p != nil {
			t.Errorf("Collect panics: %v", p)
		}
	}()
	r := ready.NewWithOptions(quiet(), "inputs")
	r.Tier("inputs").Signal("cluster \xff")
	metrics := make(chan prometheus.Metric, 1000)
	r.Collect(metrics)
}

func TestMetricsOfTwoTiersOfOneName(t *testing.T) {
	r := ready.NewWithOptions(quiet(), "inputs", "inputs")
	r.Tier("inputs").Signal("a")
	wantText(t, "the exposition", exposition(t, gatherer(t, r)), "xdsready_open 0\n")
}
