package xds_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"

	"github.com/xdsready/xdsready/pkg/xds"
)

func gather(t *testing.T, c prometheus.Collector) []*dto.MetricFamily {
	t.Helper()
	metrics := prometheus.NewPedanticRegistry()
	metrics.MustRegister(c)
	families, err := metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// gauge returns the value of a metric without labels.
func gauge(t *testing.T, c prometheus.Collector, name string) float64 {
	t.Helper()
	values := gauges(t, c, name)
	if len(values) != 1 {
		t.Fatalf("%s has values %v, want one", name, values)
	}
	return values[""]
}

// gauges returns the values of a metric by the value of its label.
func gauges(t *testing.T, c prometheus.Collector, name string) map[string]float64 {
	t.Helper()
	return values(t, c, name, func(m *dto.Metric) float64 { return m.GetGauge().GetValue() })
}

// counters returns the values of a counter by the values of its labels, which
// spaces join.
func counters(t *testing.T, c prometheus.Collector, name string) map[string]float64 {
	t.Helper()
	return values(t, c, name, func(m *dto.Metric) float64 { return m.GetCounter().GetValue() })
}

func values(t *testing.T, c prometheus.Collector, name string, value func(*dto.Metric) float64) map[string]float64 {
	t.Helper()
	families := gather(t, c)
	i := slices.IndexFunc(families, func(f *dto.MetricFamily) bool { return f.GetName() == name })
	if i < 0 {
		t.Fatalf("no metric %s", name)
	}
	found := map[string]float64{}
	for _, m := range families[i].GetMetric() {
		var labels []string
		for _, l := range m.GetLabel() {
			labels = append(labels, l.GetValue())
		}
		found[strings.Join(labels, " ")] = value(m)
	}
	return found
}

func TestMetrics(t *testing.T) {
	r := newRig(t, nil, xds.Options{})
	r.set(t, xds.AllGroup, edsCluster("a")) // its load assignment is absent
	r.set(t, "edge")

	if got := gauge(t, r.server, "xdsready_groups"); got != 2 {
		t.Errorf("groups = %v, want 2", got)
	}
	want := map[string]float64{
		"cluster": 0, "extension_config": 0, "listener": 0, "load_assignment": 1, "route_table": 0,
		"runtime_layer": 0, "scoped_route": 0, "secret": 0, "virtual_host": 0,
	}
	for _, name := range []string{"xdsready_placeholders", "xdsready_dangling_references"} {
		if diff := cmp.Diff(want, gauges(t, r.server, name)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	eventually(t, "a published snapshot's time", func() bool { return gauge(t, r.server, "xdsready_snapshot_timestamp_seconds") > 0 })

	problems, err := promlint.NewWithMetricFamilies(gather(t, r.server)).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
}

// What can be counted is there from the start, at zero, so that a rate over the
// first event is not lost.
func TestCountersStartAtZero(t *testing.T) {
	r := newServer(t, nil, xds.Options{})
	for name, labels := range map[string][]string{
		"xdsready_requests_refused_total": {"malformed", "names", "no_node", "nonce", "stuck", "too_large", "type"},
		"xdsready_resumed_streams_total":  {"changed", "current", "unknown"},
		"xdsready_unknown_versions_total": {""},
		"xdsready_response_bytes_total": {
			"cluster", "extension_config", "listener", "load_assignment", "route_table",
			"runtime_layer", "scoped_route", "secret", "virtual_host",
		},
	} {
		want := map[string]float64{}
		for _, label := range labels {
			want[label] = 0
		}
		if diff := cmp.Diff(want, counters(t, r.server, name)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	deadlines := counters(t, r.server, "xdsready_publish_step_deadlines_total")
	for _, labels := range []string{"cluster_cold route_table", "cluster_rejected listener"} {
		if n, ok := deadlines[labels]; !ok || n != 0 {
			t.Errorf("xdsready_publish_step_deadlines_total: %v, want a zero for %q", deadlines, labels)
		}
	}
}
