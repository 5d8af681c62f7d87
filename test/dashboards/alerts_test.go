package dashboards

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

var alertsPath = filepath.Join(root, "deploy", "alerts", "readiness.yaml")

// alert is one rule.
type alert struct {
	Alert, Expr         string
	Labels, Annotations map[string]string
}

func loadAlerts(t *testing.T) []alert {
	t.Helper()
	text, err := os.ReadFile(alertsPath)
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Groups []struct{ Rules []alert } }
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	var all []alert
	for _, group := range file.Groups {
		all = append(all, group.Rules...)
	}
	return all
}

// comparison matches what an alert compares with.
var comparison = regexp.MustCompile(` (==|!=|<=|>=|<|>) [0-9.]+`)

// compared is what the alert looks at, whether it fires or not.
func (a alert) compared() string { return comparison.ReplaceAllString(a.Expr, "") }

func TestAlertsAreWhole(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs", "dashboard.md"))
	if err != nil {
		t.Fatal(err)
	}
	const runbooks = "https://github.com/xdsready/xdsready/blob/main/docs/dashboard.md#"
	for _, a := range loadAlerts(t) {
		wantDocumented(t, a.Alert, a.Expr)
		if a.compared() == a.Expr {
			t.Errorf("%s compares with no number", a.Alert)
		}
		if severity := a.Labels["severity"]; severity != "critical" && severity != "warning" {
			t.Errorf("%s has the severity %q", a.Alert, severity)
		}
		if a.Annotations["summary"] == "" || a.Annotations["description"] == "" {
			t.Errorf("%s has no summary or no description", a.Alert)
		}
		if want := runbooks + strings.ToLower(a.Alert); a.Annotations["runbook_url"] != want {
			t.Errorf("the runbook of %s is %q, want %q", a.Alert, a.Annotations["runbook_url"], want)
		}
		if !strings.Contains(string(page), "\n### "+a.Alert+"\n") {
			t.Errorf("docs/dashboard.md has no heading %s, to which the runbook points", a.Alert)
		}
	}
}

func TestPromtool(t *testing.T) {
	tool := filepath.Join(filepath.Dir(program(t, "prometheus", "PROMETHEUS")), "promtool")
	for _, arguments := range [][]string{{"check", "rules", "readiness.yaml"}, {"test", "rules", "readiness_test.yaml"}} {
		command := exec.CommandContext(t.Context(), tool, arguments...)
		command.Dir = filepath.Dir(alertsPath)
		if out, err := command.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(arguments, " "), err, out)
		}
	}
}

// TestEveryAlertIsTested checks that readiness_test.yaml sees each alert fire.
func TestEveryAlertIsTested(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(filepath.Dir(alertsPath), "readiness_test.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Tests []struct {
			Cases []struct {
				Alert    string `json:"alertname"`
				Expected []any  `json:"exp_alerts"`
			} `json:"alert_rule_test"`
		}
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	fires := map[string]bool{}
	for _, test := range file.Tests {
		for _, c := range test.Cases {
			fires[c.Alert] = fires[c.Alert] || len(c.Expected) > 0
		}
	}
	for _, a := range loadAlerts(t) {
		if !fires[a.Alert] {
			t.Errorf("readiness_test.yaml has no case in which %s fires", a.Alert)
		}
	}
}
