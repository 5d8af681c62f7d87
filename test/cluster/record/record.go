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

// Envoy is what an Envoy said about itself, sampled at short intervals.
type Envoy struct {
	Samples    int
	LongestGap time.Duration // between two samples
	Unanswered int           // how often Envoy's admin server did not answer

	Lost   int            // in how many samples clusters were missing or empty that the one before had with endpoints
	Losses []Loss         // the first of them
	Now    map[string]int // the clusters of the latest sample, with the number of their endpoints

	Alone time.Duration // the longest time without a stream to the control plane

	last  time.Time // of the latest sample
	since time.Time // when the stream ended; zero while there is one
}

// Loss is a sample in which clusters were missing or empty that the one before had
// with endpoints.
type Loss struct {
	At    time.Time
	Names []string
}

// Sample adds what Envoy had at a time: the endpoints of each cluster, and whether
// it had a stream to the control plane.
func (e *Envoy) Sample(at time.Time, endpoints map[string]int, connected bool) {
	if e.Samples > 0 {
		e.LongestGap = max(e.LongestGap, at.Sub(e.last))
	}
	e.Samples++
	e.last = at
	e.sampleStream(at, connected)

	var names []string
	for _, name := range slices.Sorted(maps.Keys(e.Now)) {
		has, there := endpoints[name]
		if !there || has == 0 && e.Now[name] > 0 {
			names = append(names, name)
		}
	}
	e.Now = endpoints
	if len(names) == 0 {
		return
	}
	e.Lost++
	if len(e.Losses) < most {
		e.Losses = append(e.Losses, Loss{At: at, Names: names})
	}
}

func (e *Envoy) sampleStream(at time.Time, connected bool) {
	switch {
	case connected:
		e.since = time.Time{}
	case e.since.IsZero():
		e.since = at
	default:
		e.Alone = max(e.Alone, at.Sub(e.since))
	}
}

// Next is the empty record that follows e: what comes after is compared with the
// latest sample of e.
func (e *Envoy) Next() Envoy {
	return Envoy{Now: e.Now, since: e.since}
}
