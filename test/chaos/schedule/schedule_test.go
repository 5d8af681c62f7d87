package schedule

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	length   = 30 * time.Minute
	replicas = 3
	backends = 6
)

func TestSameSeedSameSchedule(t *testing.T) {
	if diff := cmp.Diff(New(7, length, replicas, backends), New(7, length, replicas, backends)); diff != "" {
		t.Errorf("two schedules of one seed differ:\n%s", diff)
	}
	if cmp.Equal(New(7, length, replicas, backends), New(8, length, replicas, backends)) {
		t.Error("two seeds have the same schedule")
	}
}

func TestHalfAnHourHasEnoughOfEachKind(t *testing.T) {
	for seed := range uint64(50) {
		events := New(seed, length, replicas, backends)
		if len(events) < 200 {
			t.Errorf("seed %d: %d events, want 200 at least", seed, len(events))
		}
		count := map[Kind]int{}
		for _, e := range events {
			count[e.Kind]++
		}
		// A deck has 18 cards, and the last may not have been dealt to its end.
		for _, kind := range deck {
			if have, want := count[kind], len(events)/len(deck); have < want {
				t.Errorf("seed %d: %q %d times in %d events, want %d at least", seed, kind, have, len(events), want)
			}
		}
	}
}

func TestThreeMinutesHaveEveryKind(t *testing.T) {
	for seed := range uint64(50) {
		count := map[Kind]int{}
		for _, e := range New(seed, 3*time.Minute, replicas, backends) {
			count[e.Kind]++
		}
		if len(count) != len(lasting) {
			t.Errorf("seed %d: only %v", seed, count)
		}
	}
}

// Only a blackout takes all replicas away, and one event at a time is enough for each.
func TestOneReplicaIsUndisturbed(t *testing.T) {
	for _, replicas := range []int{2, 3, 5} {
		for seed := range uint64(50) {
			free := make([]time.Duration, replicas)
			for _, e := range New(seed, length, replicas, backends) {
				disturbed := 0
				for _, until := range free {
					if until > e.At {
						disturbed++
					}
				}
				switch {
				case e.Kind == Backend:
					continue
				case e.Kind == Blackout && disturbed > 0:
					t.Fatalf("seed %d: a blackout at %v while %d replicas are disturbed", seed, e.At, disturbed)
				case e.Kind == Blackout:
					for replica := range free {
						free[replica] = e.At + e.For + Settle
					}
					continue
				case free[e.Which] > e.At:
					t.Fatalf("seed %d: %v at %v, which is disturbed until %v", seed, e, e.At, free[e.Which])
				case disturbed == replicas-1:
					t.Fatalf("seed %d: %v at %v, which leaves no replica", seed, e, e.At)
				}
				free[e.Which] = e.At + e.For + Settle
			}
		}
	}
}

func TestEventsKeepTheirBounds(t *testing.T) {
	var last time.Duration
	for _, e := range New(3, length, replicas, backends) {
		bounds := lasting[e.Kind]
		if e.For < bounds[0] || e.For > bounds[1] {
			t.Errorf("%v lasts %v, want %v to %v", e, e.For, bounds[0], bounds[1])
		}
		if e.At < last || e.At+e.For+Settle > length {
			t.Errorf("%v at %v, after one at %v, is out of order or ends too late", e, e.At, last)
		}
		last = e.At
	}
}
