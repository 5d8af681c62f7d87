package xds

import (
	"cmp"
	"container/heap"
	"sync"
	"time"

	"github.com/xdsready/xdsready/pkg/xds/publish"
)

// pacer bounds how many streams get their first config at a time, so that
// thousands of proxies that come at once delay neither probes nor one another.
//
// Who needs nothing asks for no turn. Who has nothing comes before who serves with
// something older, and who came first is first among those.
//
// The bound adapts to the machine: a stream that is let in notices late when its
// goroutine waits for a processor, as one that answers a probe does then. So
// the time until it notices is what the bound follows: lower by a quarter when
// that is long, higher by one when it is short.
type pacer struct {
	limit int // that the bound never exceeds

	mu      sync.Mutex // guards the following
	bound   int
	lowered time.Time // when bound was lowered last
	inside  int
	peak    int // the most that were inside
	waiting waiting
}

const (
	// noticedLate and noticedSoon are when the bound falls and rises. A goroutine
	// that waits for no other runs within microseconds.
	noticedLate = 10 * time.Millisecond
	noticedSoon = 2 * time.Millisecond
	// lowerEvery keeps streams that were let in together, and all tell of the same
	// moment, from lowering the bound more than once.
	lowerEvery = 100 * time.Millisecond
	// smallestPart of limit is what the bound never falls below.
	smallestPart = 16
)

func newPacer(limit int) *pacer { return &pacer{limit: limit, bound: max(1, limit/2)} }

// turn is a stream's place.
type turn struct {
	need  publish.Need
	asked time.Time // when the stream came
	let   time.Time // when it was let in; set before come is closed
	come  chan struct{}
	index int // in waiting; -1: not there
}

// enter asks for a turn for a stream that was opened at asked.
func (p *pacer) enter(need publish.Need, asked time.Time) *turn {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := &turn{need: need, asked: asked, come: make(chan struct{}), index: -1}
	heap.Push(&p.waiting, t)
	p.letInLocked()
	return t
}

// leave ends a turn, had or not, and lets the next stream in.
func (p *pacer) leave(t *turn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t.index >= 0 {
		heap.Remove(&p.waiting, t.index)
		return
	}
	p.inside--
	p.letInLocked()
}

// noticed says how long a stream took to notice that its turn has come.
func (p *pacer) noticed(after time.Duration, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case after >= noticedLate && now.Sub(p.lowered) >= lowerEvery:
		p.bound, p.lowered = max(p.bound*3/4, p.limit/smallestPart, 1), now
	case after < noticedSoon && p.bound < p.limit:
		p.bound++
		p.letInLocked()
	}
}

func (p *pacer) letInLocked() {
	for p.inside < p.bound && len(p.waiting) > 0 {
		t := heap.Pop(&p.waiting).(*turn) //nolint:errcheck // the heap has nothing else
		t.let = time.Now()
		close(t.come)
		p.inside++
		p.peak = max(p.peak, p.inside)
	}
}

// paceState is what the metrics tell of a pacer.
type paceState struct{ inside, waiting, bound, limit, peak int }

func (p *pacer) state() paceState {
	p.mu.Lock()
	defer p.mu.Unlock()
	return paceState{p.inside, len(p.waiting), p.bound, p.limit, p.peak}
}

// waiting is a heap of turns, the first to be let in first.
type waiting []*turn

// Len implements heap.Interface.
func (w *waiting) Len() int { return len(*w) }

// Less implements heap.Interface.
func (w *waiting) Less(i, j int) bool {
	a, b := (*w)[i], (*w)[j]
	return cmp.Or(cmp.Compare(a.need, b.need), a.asked.Compare(b.asked)) < 0
}

// Swap implements heap.Interface.
func (w *waiting) Swap(i, j int) {
	list := *w
	list[i], list[j] = list[j], list[i]
	list[i].index, list[j].index = i, j
}

// Push implements heap.Interface.
func (w *waiting) Push(x any) {
	t := x.(*turn) //nolint:errcheck // the heap gets nothing else
	t.index = len(*w)
	*w = append(*w, t)
}

// Pop implements heap.Interface.
func (w *waiting) Pop() any {
	last := len(*w) - 1
	t := (*w)[last]
	(*w)[last] = nil
	*w = (*w)[:last]
	t.index = -1
	return t
}
