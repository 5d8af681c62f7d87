package dashboards

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "draw docs/dashboard.svg from what Prometheus has seen")

// TestAgainstPrometheus runs every query against a Prometheus that has seen a
// slow start, a change, a faulty change and a hand-over.
func TestAgainstPrometheus(t *testing.T) {
	seen, story := tellStory(t)
	d := loadDashboard(t)

	for _, p := range d.graphs() {
		t.Run(p.Title, func(t *testing.T) {
			for _, target := range p.Targets {
				wantData(t, seen, target.query(), story)
			}
		})
	}
	for _, v := range d.Templating.List {
		if v.Type == "query" {
			t.Run("variable "+v.Name, func(t *testing.T) { wantData(t, seen, v.query(t), story) })
		}
	}
	for _, a := range loadAlerts(t) {
		t.Run(a.Alert, func(t *testing.T) { wantData(t, seen, a.compared(), story) })
	}
	t.Run("upgrades", func(t *testing.T) {
		for _, query := range upgradeQueries(t) {
			wantData(t, seen, query, story)
		}
	})
	t.Run("Prometheus evaluates the alerts", func(t *testing.T) { wantHealthyRules(t, seen) })

	if *update {
		if err := os.WriteFile(filepath.Join(root, "docs", "dashboard.svg"), []byte(draw(t, d, seen, story)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func seconds(at time.Time) float64 { return float64(at.UnixMilli()) / 1000 }

// wantData checks that a query returned something at some time of the story.
func wantData(t *testing.T, seen *prometheus, query string, story span) {
	t.Helper()
	if len(seen.queryRange(t, query, story)) == 0 {
		t.Errorf("no data: %s", query)
	}
}

// labelValues matches Grafana's way to ask for the values of a label.
var labelValues = regexp.MustCompile(`^label_values\((.*), (\w+)\)$`)

// query is a query that returns one series per value of the variable.
func (v variable) query(t *testing.T) string {
	t.Helper()
	parts := labelValues.FindStringSubmatch(v.Definition)
	if parts == nil {
		t.Fatalf("%q is not label_values(METRIC, LABEL)", v.Definition)
	}
	return target{Expr: "group by (" + parts[2] + ") (" + parts[1] + ")"}.query()
}

// wantHealthyRules checks that each alert has been evaluated without an error.
func wantHealthyRules(t *testing.T, seen *prometheus) {
	t.Helper()
	var data struct {
		Groups []struct {
			Rules []struct{ Name, Health, LastError string }
		}
	}
	seen.get(t, "rules", &data)
	healthy := map[string]bool{}
	for _, group := range data.Groups {
		for _, rule := range group.Rules {
			healthy[rule.Name] = rule.Health == "ok"
			if rule.Health != "ok" {
				t.Errorf("%s is %s: %s", rule.Name, rule.Health, rule.LastError)
			}
		}
	}
	for _, a := range loadAlerts(t) {
		if !healthy[a.Alert] {
			t.Errorf("Prometheus has not evaluated %s", a.Alert)
		}
	}
}
