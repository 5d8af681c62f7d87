package controlplane

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"
)

const metricsPage = "../../../../docs/metrics.md"

// docs/metrics.md lists exactly the metrics that a running plane has.
func TestMetricsPage(t *testing.T) {
	p, _ := newPlane(t, map[string]string{"a.yaml": cluster}, func(o *Options) { o.Peers = []string{"127.0.0.1:1"} })
	start(t, p)
	await(t, p, "the gate's opening", p.registry.Ready)
	families, err := p.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := metricsTable(families)
	page, err := os.ReadFile(metricsPage)
	if err != nil {
		t.Fatal(err)
	}
	head, _, ok := strings.Cut(string(page), tableHead)
	if !ok {
		t.Fatalf("%s has no table", metricsPage)
	}
	_, tail, _ := strings.Cut(string(page), tableEnd)
	want := head + got + tableEnd + tail
	if *update {
		if err := os.WriteFile(metricsPage, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, string(page)); diff != "" {
		t.Errorf("%s is out of date; run go test -run TestMetricsPage -update here (-want +got):\n%s", metricsPage, diff)
	}
}

const (
	tableHead = "| metric | type | labels | meaning |\n|---|---|---|---|\n"
	tableEnd  = "\n<!-- end of the table -->\n"
)

func metricsTable(families []*dto.MetricFamily) string {
	var b strings.Builder
	b.WriteString(tableHead)
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "xdsready_") {
			continue
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.GetName(), strings.ToLower(f.GetType().String()), labels(f), f.GetHelp())
	}
	return b.String()
}

// labels lists the labels of a metric with their values, where these are few.
func labels(f *dto.MetricFamily) string {
	values := map[string][]string{}
	var names []string
	for _, m := range f.GetMetric() {
		for _, l := range m.GetLabel() {
			if !slices.Contains(names, l.GetName()) {
				names = append(names, l.GetName())
			}
			if !slices.Contains(values[l.GetName()], l.GetValue()) {
				values[l.GetName()] = append(values[l.GetName()], l.GetValue())
			}
		}
	}
	var parts []string
	for _, name := range names {
		part := "`" + name + "`"
		if closed := values[name]; name != "tier" && name != "check" && name != "version" && name != "goversion" {
			part += ": " + strings.Join(closed, ", ")
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, "; ")
}
