package record_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/xdsready/xdsready/test/cluster/record"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestClustersThatGoAreLost(t *testing.T) {
	var e record.Envoy
	for i, endpoints := range []map[string]int{
		{"a": 2, "b": 1, "new": 0},
		{"a": 1, "b": 1, "new": 0}, // an endpoint less is no cluster less
		{"c": 1, "new": 1},         // a and b are lost
		{"a": 1, "b": 1, "c": 1, "new": 1},
		{"a": 1, "c": 1, "new": 1},         // b is lost again
		{"a": 0, "b": 1, "c": 1, "new": 1}, // a is as good as lost
	} {
		e.Sample(start.Add(time.Duration(i)*time.Second), endpoints, true)
	}
	want := record.Envoy{
		Samples:    6,
		LongestGap: time.Second,
		Lost:       3,
		Losses: []record.Loss{
			{At: start.Add(2 * time.Second), Names: []string{"a", "b"}},
			{At: start.Add(4 * time.Second), Names: []string{"b"}},
			{At: start.Add(5 * time.Second), Names: []string{"a"}},
		},
		Now: map[string]int{"a": 0, "b": 1, "c": 1, "new": 1},
	}
	if diff := cmp.Diff(want, e, cmpopts.IgnoreUnexported(record.Envoy{})); diff != "" {
		t.Error(diff)
	}
}

func TestLongestTimeAlone(t *testing.T) {
	var e record.Envoy
	for i, stream := range "1001000100" {
		e.Sample(start.Add(time.Duration(i)*time.Second), nil, stream == '1')
	}
	if e.Alone != 2*time.Second {
		t.Errorf("alone for %v, want from second 4 to 6", e.Alone)
	}
	e = e.Next()
	e.Sample(start.Add(time.Minute), nil, false)
	if e.Alone != 52*time.Second {
		t.Errorf("alone for %v, want from second 8, in the record before, to 60", e.Alone)
	}
}

func TestNextRecordSeesALossBetweenTheTwo(t *testing.T) {
	var e record.Envoy
	e.Sample(start, map[string]int{"a": 1}, true)
	e = e.Next()
	e.Sample(start.Add(time.Hour), map[string]int{}, true)
	if e.Lost != 1 || e.Samples != 1 || e.LongestGap != 0 {
		t.Errorf("a cluster that went between two records: %+v, want 1 loss in 1 sample, and no gap", e)
	}
}

func TestTrafficCountsMoreThanItLists(t *testing.T) {
	var tr record.Traffic
	const failed = 1000
	for range failed {
		tr.Lost(record.Failure{At: start, Target: "http://envoy", What: "503"})
	}
	tr.Answered()
	if tr.Requests != failed+1 || tr.Failed != failed || len(tr.Failures) >= failed {
		t.Errorf("%d requests, %d failed, %d listed; want %d, %d and fewer",
			tr.Requests, tr.Failed, len(tr.Failures), failed+1, failed)
	}
}
