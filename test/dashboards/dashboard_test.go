package dashboards

import (
	"cmp"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// dashboardPath and metricsPath are what the tests compare.
var (
	dashboardPath = filepath.Join(root, "deploy", "dashboards", "readiness.json")
	metricsPath   = filepath.Join(root, "docs", "metrics.md")
)

// dashboard is what the tests need of Grafana's JSON.
type dashboard struct {
	SchemaVersion int
	Templating    struct{ List []variable }
	Panels        []panel
}

type variable struct{ Type, Name, Definition string }

type panel struct {
	ID                       int
	Type, Title, Description string
	Datasource               datasource
	GridPos                  grid
	FieldConfig              struct {
		Defaults struct {
			Unit     string
			Custom   struct{ DrawStyle string }
			Mappings []struct{ Options map[string]state }
		}
	}
	Targets []target
}

type datasource struct{ Type, UID string }

// grid is the place of a panel: 24 columns wide.
type grid struct{ X, Y, W, H int }

// state is how a state timeline shows a value.
type state struct{ Text, Color string }

type target struct {
	RefID, Expr, LegendFormat string
	Datasource                datasource
}

func loadDashboard(t *testing.T) dashboard {
	t.Helper()
	text, err := os.ReadFile(dashboardPath)
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// graphs are the panels that have queries: all but the titles of the rows.
func (d dashboard) graphs() []panel {
	return slices.DeleteFunc(slices.Clone(d.Panels), func(p panel) bool { return p.Type == "row" })
}

// query is the target's expression as Grafana sends it, with all jobs and
// replicas chosen.
func (t target) query() string {
	return strings.NewReplacer("$__rate_interval", "1s", "$job", ".+", "$instance", ".+").Replace(t.Expr)
}

func TestDashboardIsWhole(t *testing.T) {
	d := loadDashboard(t)
	if d.SchemaVersion != 42 {
		t.Errorf("the schema version is %d, want 42, the last of Grafana's classic model", d.SchemaVersion)
	}
	chosen := datasource{Type: "prometheus", UID: "${datasource}"}
	ids := map[int]bool{}
	for i, p := range d.Panels {
		if ids[p.ID] {
			t.Errorf("%q: another panel has the id %d as well", p.Title, p.ID)
		}
		ids[p.ID] = true
		for _, other := range d.Panels[:i] {
			if p.GridPos.overlaps(other.GridPos) {
				t.Errorf("%q lies over %q", p.Title, other.Title)
			}
		}
	}
	for _, p := range d.graphs() {
		if !strings.Contains(p.Description, "Good: ") {
			t.Errorf("%q does not say what good looks like", p.Title)
		}
		if len(p.Targets) == 0 {
			t.Errorf("%q has no query", p.Title)
		}
		for _, target := range p.Targets {
			if p.Datasource != chosen || target.Datasource != chosen {
				t.Errorf("%q does not use the data source that was chosen", p.Title)
			}
			if strings.Count(target.Expr, `{job=~"$job", instance=~"$instance"`) != len(metricName.FindAllString(target.Expr, -1)) {
				t.Errorf("%q, query %s: a metric is not selected by job and replica: %s", p.Title, target.RefID, target.Expr)
			}
		}
	}
}

func (g grid) overlaps(other grid) bool {
	return g.X < other.X+other.W && other.X < g.X+g.W && g.Y < other.Y+other.H && other.Y < g.Y+g.H
}

// metricName matches the metrics of a query.
var metricName = regexp.MustCompile(`\bxdsready_[a-z_]+`)

// wantDocumented checks that docs/metrics.md has every metric of a query.
func wantDocumented(t *testing.T, where, query string) {
	t.Helper()
	text, err := os.ReadFile(metricsPath)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range metricName.FindAllString(query, -1) {
		documented := "`" + strings.TrimSuffix(name, "_bucket") // then "`" or "{label}`"
		if !strings.Contains(string(text), documented+"`") && !strings.Contains(string(text), documented+"{") {
			t.Errorf("%s: docs/metrics.md has no %s", where, name)
		}
	}
}

func TestDashboardMetricsAreDocumented(t *testing.T) {
	d := loadDashboard(t)
	for _, p := range d.graphs() {
		for _, target := range p.Targets {
			wantDocumented(t, p.Title, target.Expr)
		}
	}
	for _, v := range d.Templating.List {
		wantDocumented(t, "variable "+v.Name, v.Definition)
	}
}

// TestDashboardPageNamesEveryPanel keeps docs/dashboard.md complete, in the
// order of the dashboard.
func TestDashboardPageNamesEveryPanel(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs", "dashboard.md"))
	if err != nil {
		t.Fatal(err)
	}
	panels := loadDashboard(t).Panels
	slices.SortFunc(panels, func(a, b panel) int {
		return cmp.Or(cmp.Compare(a.GridPos.Y, b.GridPos.Y), cmp.Compare(a.GridPos.X, b.GridPos.X))
	})
	page := string(text)
	for _, p := range panels {
		_, after, found := strings.Cut(page, p.Title)
		if !found {
			t.Errorf("docs/dashboard.md does not name %q, or not in its place", p.Title)
			continue
		}
		page = after
	}
}
