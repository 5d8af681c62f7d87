package dashboards

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/xdsready/xdsready/test/loopback"
	"github.com/xdsready/xdsready/test/process"
)

// scrapeInterval is short, so that a story of seconds has shape.
const scrapeInterval = 250 * time.Millisecond

// prometheus is a running Prometheus.
type prometheus struct {
	*process.Process
	api  string // URL
	port string
}

// startPrometheus runs a Prometheus that scrapes targets, addresses by the
// names of their replicas, and evaluates the alert rules.
func startPrometheus(t *testing.T, path string, targets map[string]string) *prometheus {
	t.Helper()
	address := loopback.Address(t)
	rules, err := filepath.Abs(alertsPath)
	if err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf("global: {scrape_interval: %v, evaluation_interval: %v}\nrule_files: [%q]\nscrape_configs:\n- job_name: xdsready\n  static_configs:\n",
		scrapeInterval, scrapeInterval, rules)
	for _, name := range slices.Sorted(maps.Keys(targets)) {
		config += fmt.Sprintf("  - {targets: [%q], labels: {instance: %q}}\n", targets[name], name)
	}
	directory := t.TempDir()
	file := filepath.Join(directory, "prometheus.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	p := &prometheus{api: "http://" + address + "/api/v1/", port: port}
	p.Process = process.Start(t, path, "--config.file", file,
		"--storage.tsdb.path", filepath.Join(directory, "data"), "--web.listen-address", address, "--log.level", "warn")
	p.Until(t, "http://"+address+"/-/ready", "ready", func(code int, _ string) bool { return code == http.StatusOK })
	return p
}

// await waits until the query returns something.
func (p *prometheus) await(t *testing.T, query string) {
	t.Helper()
	p.Until(t, p.api+"query?"+url.Values{"query": {query}}.Encode(), "not empty", func(code int, body string) bool {
		return code == http.StatusOK && !strings.Contains(body, `"result":[]`)
	})
}

// series is one line of a graph.
type series struct {
	labels map[string]string
	points []point
}

// point is a value at a time in seconds since 1970.
type point struct{ time, value float64 }

// UnmarshalJSON implements json.Unmarshaler for Prometheus' [1700000000.5, "NaN"].
func (p *point) UnmarshalJSON(text []byte) error {
	var value string
	pair := []any{&p.time, &value}
	if err := json.Unmarshal(text, &pair); err != nil {
		return err
	}
	var err error
	p.value, err = strconv.ParseFloat(value, 64)
	return err
}

// span is a part of the time, in seconds since 1970.
type span struct{ from, to float64 }

// queryRange returns what a graph of the query shows, without what no graph can
// show: NaN, which is what a quantile of nothing is, and infinity.
func (p *prometheus) queryRange(t *testing.T, query string, over span) []series {
	t.Helper()
	var data struct {
		Result []struct {
			Metric map[string]string
			Values []point
		}
	}
	p.get(t, "query_range?"+url.Values{
		"query": {query}, "start": {fmt.Sprint(over.from)}, "end": {fmt.Sprint(over.to)}, "step": {fmt.Sprint(scrapeInterval.Seconds())},
	}.Encode(), &data)
	var all []series
	for _, result := range data.Result {
		finite := slices.DeleteFunc(result.Values, func(p point) bool { return math.IsNaN(p.value) || math.IsInf(p.value, 0) })
		if len(finite) > 0 {
			all = append(all, series{result.Metric, finite})
		}
	}
	return all
}

// get asks the HTTP API and decodes the data of its answer.
func (p *prometheus) get(t *testing.T, path string, data any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.api+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Close = true // leave no idle connection behind
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	answer := struct{ Data any }{data}
	if err := json.Unmarshal(body, &answer); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s: %s (%v)", path, response.Status, body, err)
	}
}
