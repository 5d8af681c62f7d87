package xds

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
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
// is let in while one waits that came before.
func TestPacer(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // to be repeated
		places := 1 + random.IntN(4)
		p := &pacer{free: places}
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
				queue = append(queue, p.enter(came))
				if len(inside) == places {
					slices.SortFunc(queue, func(a, b *turn) int { return a.came.Compare(b.came) })
				}
			}
			for len(inside) < places && len(queue) > 0 {
				inside, queue = append(inside, queue[0]), queue[1:]
			}
			for _, one := range inside {
				if !one.has() {
					t.Fatalf("seed %d, step %d: one that came at %v has no turn", seed, step, one.came)
				}
			}
			if slices.ContainsFunc(queue, (*turn).has) {
				t.Fatalf("seed %d, step %d: %d have a turn and one more, of %d places", seed, step, len(inside), places)
			}
		}
	}
}
