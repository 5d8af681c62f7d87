package main

import (
	"context"
	"io"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
)

func TestJudge(t *testing.T) {
	const peer = "a peer"
	for _, test := range []struct {
		name string
		spec spec
		got  measurement
		want string // ratio, target and result as in the table
	}{
		{"no target, no peer", spec{}, measurement{ours: 5}, "-|-|-"},
		{"no target", spec{peer: peer}, measurement{ours: 5, peer: 2}, "2.5x|-|-"},
		{"below a limit", spec{target: target{sense: atMost, limit: 2}}, measurement{ours: 1.9}, "-|≤ 2 ns|pass"},
		{"at a limit", spec{target: target{sense: atMost, limit: 2}}, measurement{ours: 2}, "-|≤ 2 ns|pass"},
		{"above a limit", spec{target: target{sense: atMost, limit: 2}}, measurement{ours: 2.1}, "-|≤ 2 ns|miss"},
		{"a limit is not for the ratio", spec{peer: peer, target: target{sense: atMost, limit: 2}},
			measurement{ours: 1, peer: 0.1}, "10x|≤ 2 ns|pass"},
		{"a ratio that is small enough", spec{peer: peer, target: target{sense: atMost, ofRatio: true, limit: 1.2}},
			measurement{ours: 12, peer: 10}, "1.2x|≤ 1.2x|pass"},
		{"a ratio that is too large", spec{peer: peer, target: target{sense: atMost, ofRatio: true, limit: 1.2}},
			measurement{ours: 13, peer: 10}, "1.3x|≤ 1.2x|miss"},
		{"a ratio that is large enough", spec{peer: peer, target: target{sense: atLeast, ofRatio: true, limit: 5}},
			measurement{ours: 5001, peer: 1000}, "5x|≥ 5x|pass"},
		{"a ratio that is too small", spec{peer: peer, target: target{sense: atLeast, ofRatio: true, limit: 5}},
			measurement{ours: 4.5, peer: 1}, "4.5x|≥ 5x|miss"},
		{"nothing beside nothing", spec{peer: peer, target: target{sense: atMost, ofRatio: true, limit: 0.2}},
			measurement{}, "-|≤ 0.2x|pass"},
		{"something beside nothing", spec{peer: peer, target: target{sense: atMost, ofRatio: true, limit: 0.2}},
			measurement{ours: 1}, "-|≤ 0.2x|miss"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.spec.unit = "ns"
			row := test.spec.judge(test.got)
			ratio, target, result := "-", "-", "-"
			if row.Ratio != nil {
				ratio = short(*row.Ratio) + "x"
			}
			if row.Target != "" {
				target, result = row.Target, string(row.Result)
			}
			if diff := cmp.Diff(test.want, ratio+"|"+target+"|"+result); diff != "" {
				t.Errorf("judge(%v) (-want +got):\n%s", test.got, diff)
			}
		})
	}
}

func TestShortKeepsThreeDigits(t *testing.T) {
	for value, want := range map[float64]string{
		0: "0", 2: "2", 0.2: "0.2", 0.001083: "0.00108", 4.664: "4.66", 97.391: "97.4", 100: "100", 1234.5: "1234", -3.5: "-3.5",
	} {
		if got := short(value); got != want {
			t.Errorf("short(%v) = %q, want %q", value, got, want)
		}
	}
}

func TestAlternateMeasuresEachOnceARoundAndReturnsMedians(t *testing.T) {
	var order string
	subject := func(name string, rounds ...float64) subject {
		i := -1
		return func(context.Context) ([]float64, error) {
			order += name
			i++
			return []float64{rounds[i], -rounds[i]}, nil
		}
	}
	got, err := alternate(t.Context(), newProgress(io.Discard), 3, subject("a", 900, 1, 2), subject("b", 30, 10, 20))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]float64{{2, -2}, {20, -20}}, got); diff != "" {
		t.Errorf("medians (-want +got):\n%s", diff)
	}
	for round := range slices.Chunk([]byte(order), 2) {
		if both := string(round); both != "ab" && both != "ba" {
			t.Errorf("measured in the order %s, want a and b once a round", order)
		}
	}
}

func TestAllocationsPerCallLeavesOutThoseOfTheLoop(t *testing.T) {
	var kept any
	got := allocationsPerCall(func(n int) {
		for range 60 {
			kept = new([512]byte)
		}
		for range n {
			kept = new([64]byte)
			kept = new([128]byte)
		}
	})
	if got != 2 {
		t.Errorf("got %v, want the 2 of a call (the last was %T)", got, kept)
	}
}

func TestPercentile(t *testing.T) {
	hundred := make([]float64, 100)
	for i := range hundred {
		hundred[i] = float64(100 - i) // 100 to 1
	}
	for _, test := range []struct {
		name    string
		samples []float64
		percent int
		want    float64
	}{
		{"one of a hundred may be above the 99th", hundred, 99, 99},
		{"of few samples the 99th is the largest", []float64{3, 1, 2}, 99, 3},
		{"the middle of three", []float64{3, 1, 2}, 50, 2},
		{"the lower middle of four", []float64{4, 3, 1, 2}, 50, 2},
		{"one sample", []float64{7}, 50, 7},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := percentile(test.samples, test.percent); got != test.want {
				t.Errorf("percentile(%d) = %v, want %v", test.percent, got, test.want)
			}
		})
	}
}

func TestTheLargeFirstMessageIsAsLargeAsThatOfEnvoy(t *testing.T) {
	const envoy = 61_139 // bytes: Envoy 1.40.0 on ADS, its first DiscoveryRequest
	if size := proto.Size(likeEnvoy()); size < envoy*9/10 || size > envoy*11/10 {
		t.Errorf("the message has %d bytes, want %d or 10 %% more or less", size, envoy)
	}
}

// The promises of the project stand here once more, so that nobody weakens one
// by the way.
func TestTargets(t *testing.T) {
	want := map[string]string{
		"gate/ready":              "≤ 2 ns",
		"gate/open":               "≤ 2 ns",
		"gate/check":              "≤ 2 ns",
		"gate/allocs":             "≤ 0 allocs",
		"readyz/ready":            "≥ 5x",
		"readyz/ready-allocs":     "≤ 0.2x",
		"readyz/ready-1000":       "≤ 1.2x",
		"readyz/not-ready":        "≥ 5x",
		"readyz/not-ready-allocs": "≤ 0.2x",
		"readyz/not-ready-1000":   "≤ 1.2x",
		"opening/handler":         "≤ 1 ms",
		"opening/handler-100ms":   "≤ 1 ms",
		"held/memory":             "≤ 1.2x",
		"held/rss":                "≤ 1.2x",

		"fanout/sotw-cpu":              "≤ 1.25x",
		"fanout/sotw-cpu-shared":       "≤ 1x",
		"fanout/sotw-cpu-stock":        "≤ 0.125x",
		"fanout/sotw-rss":              "≤ 1.5x",
		"fanout/sotw-change-time":      "≤ 1.25x",
		"fanout/sotw-change-resources": "≤ 1x",
		"fanout/sotw-resume-bytes":     "≤ 0 B",
		"fanout/sotw-resume-others":    "≤ 0 proxies",
		"fanout/sotw-groups-cpu":       "≤ 1.25x",
		"fanout/sotw-groups-rss":       "≤ 1.5x",
		"fanout/sotw-lists-cpu":        "≤ 1.25x",
		"fanout/sotw-lists-rss":        "≤ 1.5x",

		"fanout/delta-cpu":              "≤ 1.25x",
		"fanout/delta-cpu-shared":       "≤ 1x",
		"fanout/delta-cpu-stock":        "≤ 0.125x",
		"fanout/delta-rss":              "≤ 1.5x",
		"fanout/delta-change-time":      "≤ 1.25x",
		"fanout/delta-change-resources": "≤ 1x",
		"fanout/delta-resume-bytes":     "≤ 0 B",
		"fanout/delta-resume-others":    "≤ 0 proxies",
		"fanout/delta-groups-cpu":       "≤ 1.25x",
		"fanout/delta-groups-rss":       "≤ 1.5x",
		"fanout/delta-lists-cpu":        "≤ 1.25x",
		"fanout/delta-lists-rss":        "≤ 1.5x",

		"idle/memory": "≤ 1.3x",

		"kubernetes/start":      "≤ 1.3x",
		"kubernetes/rss":        "≤ 2x",
		"kubernetes/pss":        "≤ 2x",
		"kubernetes/peak":       "≤ 2x",
		"kubernetes/change-p99": "≤ 50 ms",
	}
	got := map[string]string{}
	for _, b := range suite {
		for _, spec := range b.rows {
			if text := spec.target.in(spec.unit); text != "" {
				got[spec.name] = text
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("targets (-want +got):\n%s", diff)
	}
}
