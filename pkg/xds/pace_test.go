package xds

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/xdsready/xdsready/pkg/xds/publish"
)

func (t *turn) has() bool {
	select {
	case <-t.come:
		return true
	default:
		return false
	}
}

// Whatever streams come and go, in whatever order: those that have a turn are
// never more than there are places, no place is free while one waits, and nobody
// is let in while one waits that has nothing and it has, or that came before.
func TestPacer(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // to be repeated
		places := 1 + random.IntN(4)
		p := &pacer{limit: places, bound: places}
		var inside, queue []*turn // the queue in order of arrival
		for step := range 200 {
			switch all := slices.Concat(inside, queue); {
			case len(all) > 0 && random.IntN(2) == 0:
				gone := all[random.IntN(len(all))]
				p.leave(gone)
				is := func(t *turn) bool { return t == gone }
				inside, queue = slices.DeleteFunc(inside, is), slices.DeleteFunc(queue, is)
			default:
				came := time.Unix(random.Int64N(1000), int64(step)) // who was held may ask late
				need := []publish.Need{publish.Cold, publish.Older}[random.IntN(2)]
				queue = append(queue, p.enter(need, came))
				if len(inside) == places {
					slices.SortFunc(queue, func(a, b *turn) int {
						if a.need != b.need {
							return int(a.need) - int(b.need)
						}
						return a.asked.Compare(b.asked)
					})
				}
			}
			for len(inside) < places && len(queue) > 0 {
				inside, queue = append(inside, queue[0]), queue[1:]
			}
			for _, one := range inside {
				if !one.has() {
					t.Fatalf("seed %d, step %d: one that came at %v has no turn", seed, step, one.asked)
				}
			}
			if slices.ContainsFunc(queue, (*turn).has) {
				t.Fatalf("seed %d, step %d: %d have a turn and one more, of %d places", seed, step, len(inside), places)
			}
		}
	}
}

// Streams that notice their turn late lower the bound, once for all that were let
// in together, and never to nothing; those that notice soon raise it to the limit.
func TestPacerAdapts(t *testing.T) {
	p := newPacer(64)
	now := time.Unix(1000, 0)
	want := func(what string, bound int) {
		t.Helper()
		if got := p.state().bound; got != bound {
			t.Errorf("%s: %d at a time, want %d", what, got, bound)
		}
	}
	want("at first", 32)
	for range 10 {
		p.noticed(noticedLate, now)
	}
	want("ten late at the same time", 24)
	for range 100 {
		now = now.Add(lowerEvery)
		p.noticed(noticedLate, now)
	}
	want("all late", 4)
	p.noticed(noticedSoon, now)
	want("neither late nor soon", 4)
	for range 100 {
		p.noticed(0, now)
	}
	want("all soon", 64)
}

// A bound that rises lets in who waits.
func TestRaisedBoundLetsIn(t *testing.T) {
	p := newPacer(4)
	turns := []*turn{p.enter(publish.Cold, time.Unix(1, 0)), p.enter(publish.Cold, time.Unix(2, 0)), p.enter(publish.Cold, time.Unix(3, 0))}
	if turns[2].has() {
		t.Fatal("three are let in at first, want two of four")
	}
	p.noticed(0, time.Unix(4, 0))
	if !turns[2].has() {
		t.Error("the bound has risen, and the third still waits")
	}
	if got := (paceState{inside: 3, bound: 3, limit: 4, peak: 3}); p.state() != got {
		t.Errorf("state %+v, want %+v", p.state(), got)
	}
}
