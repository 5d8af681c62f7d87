package xds_test

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/xdsready/xdsready/pkg/xds"
)

// gauge returns the value of a metric without labels.
func gauge(t *testing.T, c prometheus.Collector, name string) float64 {
	t.Helper()
	metrics := prometheus.NewPedanticRegistry()
	metrics.MustRegister(c)
	families, err := metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

func TestMetrics(t *testing.T) {
	r := newRig(t, nil, xds.Options{})
	r.set(t, xds.AllGroup, edsCluster("a")) // its load assignment is absent
	r.set(t, "edge")
	const want = `
# HELP xdsready_groups Node groups that have a snapshot, those that disappeared and are still kept included.
# TYPE xdsready_groups gauge
xdsready_groups 2
# HELP xdsready_unknown_group_streams Streams that are held because their node group has no snapshot.
# TYPE xdsready_unknown_group_streams gauge
xdsready_unknown_group_streams 0
# HELP xdsready_placeholders Empty resources that are served for absent ones, over all node groups.
# TYPE xdsready_placeholders gauge
xdsready_placeholders{type="cluster"} 0
xdsready_placeholders{type="extension_config"} 0
xdsready_placeholders{type="listener"} 0
xdsready_placeholders{type="load_assignment"} 1
xdsready_placeholders{type="route_table"} 0
xdsready_placeholders{type="runtime_layer"} 0
xdsready_placeholders{type="scoped_route"} 0
xdsready_placeholders{type="secret"} 0
xdsready_placeholders{type="virtual_host"} 0
`
	if err := testutil.CollectAndCompare(r.server, strings.NewReader(want),
		"xdsready_groups", "xdsready_unknown_group_streams", "xdsready_placeholders"); err != nil {
		t.Error(err)
	}
	if problems, err := testutil.CollectAndLint(r.server); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
	eventually(t, "a published snapshot's time", func() bool { return gauge(t, r.server, "xdsready_snapshot_timestamp_seconds") > 0 })
}
