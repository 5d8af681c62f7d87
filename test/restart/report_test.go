package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAMissedFigureIsNamedWithItsTable(t *testing.T) {
	var r report
	r.begin("Rolling")
	r.inform("restarts", "%d", 3)
	r.atMost("failed requests", 0, 0, "")
	r.atMostTime("gap", 1500*time.Microsecond, time.Millisecond)
	r.begin("Crash")
	r.atMost("bytes", 3, 0, " B")
	want := []string{"Rolling: gap: 1.5 ms, not ≤ 1 ms", "Crash: bytes: 3 B, not ≤ 0 B"}
	if diff := cmp.Diff(want, r.missed()); diff != "" {
		t.Errorf("missed (-want +got):\n%s", diff)
	}
	var text strings.Builder
	if err := r.write(&text); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(text.String()) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	wantLines := []string{
		"", "Rolling", "restarts 3", "failed requests 0 ≤ 0 pass", "gap 1.5 ms ≤ 1 ms MISS", "", "Crash", "bytes 3 B ≤ 0 B MISS",
	}
	if diff := cmp.Diff(wantLines, lines); diff != "" {
		t.Errorf("tables (-want +got):\n%s", diff)
	}
}

func TestPercentiles(t *testing.T) {
	for _, test := range []struct {
		samples []time.Duration
		percent int
		want    time.Duration
	}{
		{nil, 99, 0},
		{[]time.Duration{7}, 50, 7},
		{[]time.Duration{4, 1, 3, 2}, 50, 2},
		{[]time.Duration{4, 1, 3, 2}, 51, 3},
		{[]time.Duration{4, 1, 3, 2}, 99, 4},
		{[]time.Duration{4, 1, 3, 2}, 100, 4},
	} {
		if got := percentile(test.samples, test.percent); got != test.want {
			t.Errorf("percentile %d of %v is %v, want %v", test.percent, test.samples, got, test.want)
		}
	}
}

func TestOnlyProbesOfTheReplicaWithinTheSpanCount(t *testing.T) {
	one, other := &replica{}, &replica{}
	epoch := time.Unix(1000, 0)
	at := func(second int) time.Time { return epoch.Add(time.Duration(second) * time.Second) }
	probes := []probe{
		{one, at(0), 1, true}, {one, at(1), 2, true}, {one, at(2), 3, false}, {one, at(3), 4, true},
		{other, at(2), 5, true}, {other, at(7), 6, true}, {one, at(7), 7, true},
	}
	var got answers
	got.add(probes, span{one, at(1), at(3)})
	got.add(probes, span{other, at(6), at(8)})
	if want := (answers{took: []time.Duration{2, 4, 6}, nobody: 1}); !cmp.Equal(want, got, cmp.AllowUnexported(answers{})) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestUnfairness(t *testing.T) {
	for _, test := range []struct {
		streams []int
		want    float64
	}{{[]int{0, 0}, 0}, {[]int{5, 5, 5}, 1}, {[]int{500, 500, 0}, 1.5}, {[]int{0, 0, 9}, 3}} {
		if got := unfairness(test.streams); got != test.want {
			t.Errorf("unfairness of %v is %v, want %v", test.streams, got, test.want)
		}
	}
}

func TestMetricsAreSummedOverTheirLabels(t *testing.T) {
	s := parseSamples("# HELP a b\n# TYPE a counter\na{x=\"1\"} 2\na{x=\"2\"} 3e1\nab 5\n")
	if sum, known := s.sum("a"); sum != 32 || !known {
		t.Errorf("the sum is %v (known: %v), want 32", sum, known)
	}
	if _, known := s.sum("b"); known {
		t.Error("a metric is known that is not there")
	}
}
