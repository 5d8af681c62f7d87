// Package schedule says what goes wrong, when and for how long: a pure function
// of a seed, so that a run that found something can be had again, and so that
// several worlds live through the same.
package schedule

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Kind is a way in which things go wrong.
type Kind string

// The kinds. All but Backend and Blackout happen to one replica; in the middle of
// SlowStart and PartialStart, the connections of the next one are reset as well.
const (
	Terminate    Kind = "terminate"     // SIGTERM, the end of its drain, and a new start
	Kill         Kind = "kill"          // SIGKILL and a new start
	Stop         Kind = "stop"          // SIGSTOP, and SIGCONT after Event.For: to the replica a jump of its clock
	SlowStart    Kind = "slow start"    // SIGKILL, and the new start is that long before its directory is there
	PartialStart Kind = "partial start" // SIGKILL, and the new start is that long before one of its files is whole
	Pause        Kind = "pause"         // its network carries nothing for that long
	Reset        Kind = "reset"         // its connections are reset
	DiskFull     Kind = "disk full"     // a write to its directory fails half-way, and works again after that long
	Backend      Kind = "backend"       // a backend is gone for that long
	Blackout     Kind = "blackout"      // all replicas are killed, and start again after that long
)

// Event is one thing that goes wrong.
type Event struct {
	At   time.Duration // since the beginning of the run
	Kind Kind
	// Which is the number of the replica, or of the backend; 0 for Blackout.
	Which int
	// For is how long it lasts. A replica that ends is away for that long, or in
	// SlowStart and PartialStart started at once and kept from being ready.
	For time.Duration
}

// String names the event as reports do.
func (e Event) String() string {
	switch e.Kind {
	case Backend:
		return fmt.Sprintf("%s %d stopped for %v", e.Kind, e.Which, e.For)
	case Blackout:
		return fmt.Sprintf("%s for %v", e.Kind, e.For)
	default:
		return fmt.Sprintf("%s of replica %d, %v", e.Kind, e.Which, e.For)
	}
}

// deck has each kind as often as its share of all events. Decks are shuffled
// and dealt one after the other, so that a short run has every kind as well.
var deck = []Kind{
	Terminate, Terminate, Terminate, Kill, Kill, Kill, Stop, Stop, Pause, Pause, Reset, Reset,
	PartialStart, PartialStart, SlowStart, DiskFull, Backend, Blackout,
}

// lasting is how long each kind may last: from, to.
var lasting = map[Kind][2]time.Duration{
	Terminate:    {0, 3 * time.Second},
	Kill:         {0, 3 * time.Second},
	Stop:         {3 * time.Second, 20 * time.Second},
	SlowStart:    {2 * time.Second, 8 * time.Second},
	PartialStart: {2 * time.Second, 8 * time.Second},
	Pause:        {3 * time.Second, 20 * time.Second},
	Reset:        {0, 0},
	DiskFull:     {3 * time.Second, 12 * time.Second},
	Backend:      {time.Second, 3 * time.Second},
	Blackout:     {2 * time.Second, 8 * time.Second},
}

// Settle is how long after the end of an event its replica still counts as
// disturbed: it drains for 8 s at most, starts, and its proxies come back.
const Settle = 10 * time.Second

// Gap is the time between two events: from, to. A run of half an hour has more
// than 200.
var Gap = [2]time.Duration{time.Second, 9 * time.Second}

// New returns the events of a run of this length, in order, the last settled
// when it ends. Apart from a Blackout, one replica at least is undisturbed at
// any time; so there must be two.
func New(seed uint64, length time.Duration, replicas, backends int) []Event {
	random := rand.New(rand.NewPCG(seed, 0))
	free := make([]time.Duration, replicas) // when each replica is undisturbed again
	var back time.Duration                  // when all backends are
	var events []Event
	var cards []Kind
	var at time.Duration
	for {
		if len(cards) == 0 {
			cards = slices.Clone(deck)
			random.Shuffle(len(cards), func(i, j int) { cards[i], cards[j] = cards[j], cards[i] })
		}
		at += between(random, Gap)
		e := Event{Kind: cards[0], For: between(random, lasting[cards[0]])}
		cards = cards[1:]
		switch e.Kind {
		case Backend:
			at = max(at, back)
			e.Which = random.IntN(backends)
			back = at + e.For + Settle
		case Blackout:
			at = max(at, slices.Max(free))
			for replica := range free {
				free[replica] = at + e.For + Settle
			}
		default:
			at = max(at, slices.Sorted(slices.Values(free))[1]) // from then on, two are undisturbed
			e.Which = pick(random, free, at)
			free[e.Which] = at + e.For + Settle
		}
		e.At = at
		if e.At+e.For+Settle > length {
			return events
		}
		events = append(events, e)
	}
}

// between returns a duration of whole milliseconds from bounds[0] to bounds[1].
func between(random *rand.Rand, bounds [2]time.Duration) time.Duration {
	width := (bounds[1] - bounds[0]).Milliseconds()
	return bounds[0] + time.Duration(random.Int64N(width+1))*time.Millisecond
}

// pick returns one of the replicas that are undisturbed.
func pick(random *rand.Rand, free []time.Duration, at time.Duration) int {
	var candidates []int
	for replica, from := range free {
		if from <= at {
			candidates = append(candidates, replica)
		}
	}
	return candidates[random.IntN(len(candidates))]
}
