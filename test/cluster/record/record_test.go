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
	var c record.Clusters
	for i, endpoints := range []map[string]int{
		{"a": 1, "b": 1},
		{"a": 0, "b": 1},         // an endpoint less is no cluster less
		{"c": 1},                 // a and b are lost
		{"a": 1, "b": 1, "c": 1}, // and come back
		{"a": 1, "c": 1},         // b is lost again
	} {
		c.Sample(start.Add(time.Duration(i)*time.Second), endpoints)
	}
	want := record.Clusters{
		Samples:    5,
		LongestGap: time.Second,
		Lost:       2,
		Losses: []record.Loss{
			{At: start.Add(2 * time.Second), Names: []string{"a", "b"}},
			{At: start.Add(4 * time.Second), Names: []string{"b"}},
		},
		Now: map[string]int{"a": 1, "c": 1},
	}
	if diff := cmp.Diff(want, c, cmpopts.IgnoreUnexported(record.Clusters{})); diff != "" {
		t.Error(diff)
	}
}

func TestNextRecordSeesALossBetweenTheTwo(t *testing.T) {
	var c record.Clusters
	c.Sample(start, map[string]int{"a": 1})
	c = c.Next()
	c.Sample(start.Add(time.Hour), map[string]int{})
	if c.Lost != 1 || c.Samples != 1 || c.LongestGap != 0 {
		t.Errorf("a cluster that went between two records: %+v, want 1 loss in 1 sample, and no gap", c)
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
