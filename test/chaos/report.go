package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/xdsready/xdsready/test/chaos/verdict"
)

// The values of --output.
const (
	outputText = "text"
	outputJSON = "json"
)

// report is the outcome of a run.
type report struct {
	Seed     uint64         `json:"seed"`
	Seconds  float64        `json:"seconds"`
	Replicas int            `json:"replicas"`
	Events   map[string]int `json:"events"` // of each kind
	Changes  int            `json:"changes"`
	// StallSeconds is the longest time for which the machine let the harness do
	// nothing. Deadlines of seconds mean little if it is not far below them.
	StallSeconds float64   `json:"stallSeconds"`
	Worlds       []account `json:"worlds"`
}

// account is what a world has to answer for.
type account struct {
	Name     string         `json:"name"`
	Envoys   int            `json:"envoys"`
	Requests int            `json:"requests"`
	Failed   int            `json:"failed"`
	Causes   map[string]int `json:"causes"`  // of the failed ones
	Excused  int            `json:"excused"` // failed at a backend that was away on purpose
	Vanished int            `json:"vanished"`
	// Of SotW proxies that came with a version which the replica had never built.
	ExplainedFailed   int `json:"explainedFailed"`
	ExplainedVanished int `json:"explainedVanished"`

	Behind         []string `json:"behind"`         // a minute after the last event
	SettledSeconds float64  `json:"settledSeconds"` // until all had the last version, after the last event
	LongestSeconds float64  `json:"longestSeconds"` // without an update
	PushedBytes    int64    `json:"pushedBytes"`
	Faults         []string `json:"faults"`   // that no schedule says
	Findings       []string `json:"findings"` // what failed or vanished, one by one
	ours           bool
	broken         int
}

// report sums up the run; dir is the root of the logs.
func (d *drill) report(dir string) (report, error) {
	r := report{
		Seed: d.options.seed, Seconds: d.options.duration.Seconds(), Replicas: d.options.replicas,
		Events: map[string]int{}, Changes: len(d.changes), StallSeconds: d.stall.Seconds(),
	}
	for _, e := range d.events {
		r.Events[string(e.Kind)]++
	}
	for number, p := range d.places {
		unknown, err := unknownVersions(worldDir(dir, number), d.began)
		if err != nil {
			return r, err
		}
		result := p.Checker.Result(unknown)
		a := account{
			Name: p.name, Envoys: p.Envoys(), ours: p.ours,
			Requests: result.Requests, Failed: len(result.Failed), Causes: map[string]int{}, Excused: result.Excused,
			Vanished:        len(result.Vanished),
			ExplainedFailed: len(result.ExplainedFailed), ExplainedVanished: len(result.ExplainedVanished),
			Behind: result.Behind, SettledSeconds: p.settled.Seconds(), LongestSeconds: result.Longest.For.Seconds(),
			PushedBytes: p.Pushed(), Findings: d.findings(result),
		}
		for _, failed := range result.Failed {
			a.Causes[failed.Reason]++
		}
		for _, fault := range p.Faults() {
			a.Faults = append(a.Faults, fault.Error())
		}
		a.broken = result.Faults() + len(a.Faults)
		r.Worlds = append(r.Worlds, a)
	}
	return r, nil
}

// findings explains what failed or vanished, one by one, with what happened before.
func (d *drill) findings(result verdict.Result) []string {
	var lines []string
	add := func(at time.Duration, format string, values ...any) {
		lines = append(lines, fmt.Sprintf("%9.3fs  %s; %s", at.Seconds(), fmt.Sprintf(format, values...), d.before(at)))
	}
	tell := func(why string, vanished []verdict.Vanished, failed []verdict.Request) {
		for _, v := range vanished {
			add(v.At, "%svanished: %v", why, v)
		}
		for _, r := range failed {
			connection := "new connection"
			if r.Reused {
				connection = "kept connection"
			}
			add(r.To, "%sfailed: %s, %s, %s: %d %s", why, r.Proxy, r.Target, connection, r.Status, r.Reason)
		}
	}
	tell("", result.Vanished, result.Failed)
	tell("unknown version, ", result.ExplainedVanished, result.ExplainedFailed)
	slices.Sort(lines)
	return lines
}

// recent is how far back what happened may be the reason of something.
const recent = 10 * time.Second

// before says what happened shortly before a time: events that were not over
// long ago, and the last changes of the configuration.
func (d *drill) before(at time.Duration) string {
	var happened []string
	for _, e := range d.events {
		if e.At <= at && at <= e.At+e.For+recent {
			happened = append(happened, fmt.Sprintf("%v began %.1fs before", e, (at-e.At).Seconds()))
		}
	}
	var changes []string
	for _, c := range d.changes {
		if c.at <= at && at <= c.at+recent {
			changes = append(changes, fmt.Sprintf("%s %.1fs before", c.what, (at-c.at).Seconds()))
		}
	}
	const shown = 4
	return strings.Join(append(happened, changes[max(0, len(changes)-shown):]...), "; ")
}

// writeJSON writes the report for programs.
func (r report) writeJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}
