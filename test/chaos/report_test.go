package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/xdsready/xdsready/test/chaos/schedule"
	"github.com/xdsready/xdsready/test/chaos/verdict"
)

func TestVerdictOfAReport(t *testing.T) {
	bad := account{Name: "no gate", Failed: 3}
	for name, c := range map[string]struct {
		seconds float64
		worlds  []account
		kept    bool
	}{
		"ours kept it, the baseline did not":      {1800, []account{{ours: true}, bad}, true},
		"ours broke it":                           {1800, []account{{ours: true, broken: 1}, bad}, false},
		"a baseline kept it for half an hour":     {1800, []account{{ours: true}, {Name: "no gate"}}, false},
		"a baseline kept it for a short time":     {180, []account{{ours: true}, {Name: "no gate"}}, true},
		"a baseline lost clusters and no request": {1800, []account{{ours: true}, {Name: "no gate", Vanished: 1}}, true},
		"no baseline":                             {1800, []account{{ours: true}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			err := report{Seconds: c.seconds, Worlds: c.worlds}.verdict()
			if kept := err == nil; kept != c.kept {
				t.Errorf("the verdict is %v, want kept: %v", err, c.kept)
			}
		})
	}
}

func TestTable(t *testing.T) {
	r := report{
		Seed: 7, Seconds: 180, Replicas: 3, Events: map[string]int{"kill": 2, "pause": 1}, Changes: 170, StallSeconds: 0.5,
		Worlds: []account{
			{Name: "xdsready", ours: true, Envoys: 10, Requests: 1000, LongestSeconds: 2, PushedBytes: 1_500_000},
			{
				Name: "no gate", Envoys: 4, Requests: 400, Failed: 6, Causes: map[string]int{"NC cluster_not_found": 6},
				Findings: []string{"one", "two", "three", "four", "five", "six"}, Behind: []string{"envoy-0-delta"},
			},
		},
	}
	var out strings.Builder
	if err := r.writeText(&out); err != nil {
		t.Fatal(err)
	}
	want := `seed 7: 3m0s, 3 replicas, 3 events, 170 changes of the configuration, longest stall of this machine 0.5 s
events: kill 2, pause 1

                                                       xdsready        no gate
Envoys                                                       10              4
requests                                                   1000            400
failed                                                        0              6
  NC cluster_not_found                                        0              6
clusters or endpoints vanished                                0              0
SotW, version unknown to the replica: failed                  0              0
SotW, version unknown to the replica: vanished                0              0
failed at a backend that was stopped                          0              0
proxies left behind                                           0              1
all up to date after the last event                       0.0 s          0.0 s
longest time without an update                            2.0 s          0.0 s
pushed                                                   1.5 MB         0.0 MB
other faults                                                  0              0

no gate, 5 of 7 findings:
  one
  two
  three
  four
  five
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

func TestWhatHappenedBefore(t *testing.T) {
	d := drill{
		events: []schedule.Event{
			{At: 5 * time.Second, Kind: schedule.Stop, Which: 1, For: 20 * time.Second},
			{At: 8 * time.Second, Kind: schedule.Reset},
			{At: 50 * time.Second, Kind: schedule.Blackout},
		},
		changes: []change{{28 * time.Second, "version 3: a route"}, {31 * time.Second, "version 4: a route"}},
	}
	want := "stop of replica 1, 20s began 25.0s before; version 3: a route 2.0s before"
	if diff := cmp.Diff(want, d.before(30*time.Second)); diff != "" {
		t.Errorf("before (-want +got):\n%s", diff)
	}
}

func TestUnknownVersionsOfALog(t *testing.T) {
	began := time.Date(2026, 11, 21, 22, 0, 0, 0, time.UTC)
	dir := t.TempDir()
	log := `{"time":"2026-11-21T22:00:05Z","level":"INFO","msg":"xdsready starts"}
{"time":"2026-11-21T22:00:10.5Z","level":"INFO","msg":"proxy came with an unknown version: it gets all of the type, in plain order","node":"envoy-1-sotw","type":"cluster"}
`
	if err := os.WriteFile(filepath.Join(dir, "replica-0.log"), []byte(log), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := unknownVersions(dir, began)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]verdict.UnknownVersion{{At: 10500 * time.Millisecond, Proxy: "envoy-1-sotw"}}, got); diff != "" {
		t.Errorf("unknown versions (-want +got):\n%s", diff)
	}
}
