// Package record is what the programs of test/cluster/parts write down in their
// pods, for the tests to judge.
package record

import (
	"maps"
	"slices"
	"time"
)

// most bounds what is listed in a record; all of it is counted.
const most = 200

// Traffic is what became of steady requests.
type Traffic struct {
	Requests int
	Failed   int
	Failures []Failure // the first of them
}

// Failure is a request that was not answered with 200.
type Failure struct {
	At     time.Time
	Target string // the URL
	What   string // the answer, or why there is none
}

// Answered counts a request that was answered with 200.
func (t *Traffic) Answered() { t.Requests++ }

// Lost counts a request that was not.
func (t *Traffic) Lost(failure Failure) {
	t.Requests++
	t.Failed++
	if len(t.Failures) < most {
		t.Failures = append(t.Failures, failure)
	}
}

// Clusters is what an Envoy said about its clusters, sampled at short intervals.
type Clusters struct {
	Samples    int
	LongestGap time.Duration  // between two samples
	Unanswered int            // how often Envoy's admin server did not answer
	Lost       int            // in how many samples clusters were missing that the one before had
	Losses     []Loss         // the first of them
	Now        map[string]int // the clusters of the latest sample, with the number of their endpoints

	last time.Time
}

// Loss is a sample in which clusters were missing that the one before had.
type Loss struct {
	At    time.Time
	Names []string
}

// Sample adds what Envoy had at a time: the endpoints of each cluster.
func (c *Clusters) Sample(at time.Time, endpoints map[string]int) {
	if c.Samples > 0 {
		c.LongestGap = max(c.LongestGap, at.Sub(c.last))
	}
	c.Samples++
	c.last = at

	var names []string
	for _, name := range slices.Sorted(maps.Keys(c.Now)) {
		if _, has := endpoints[name]; !has {
			names = append(names, name)
		}
	}
	c.Now = endpoints
	if len(names) == 0 {
		return
	}
	c.Lost++
	if len(c.Losses) < most {
		c.Losses = append(c.Losses, Loss{At: at, Names: names})
	}
}

// Next is the empty record that follows c: what comes after is compared with the
// latest sample of c.
func (c *Clusters) Next() Clusters {
	return Clusters{Now: c.Now}
}
