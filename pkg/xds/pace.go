package xds

import (
	"container/heap"
	"sync"
	"time"
)

// pacer bounds how many streams get their first config at a time, so that
// thousands of proxies that come at once delay neither probes nor one another:
// who came first is done first.
type pacer struct {
	mu      sync.Mutex // guards the following
	free    int
	waiting waiting
}

// turn is a stream's place. Its channel is closed when the stream may go on.
type turn struct {
	came  time.Time
	come  chan struct{}
	index int // in waiting; -1: not there
}

// enter asks for a turn.
func (p *pacer) enter(came time.Time) *turn {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := &turn{came: came, come: make(chan struct{}), index: -1}
	if p.free > 0 {
		p.free--
		close(t.come)
	} else {
		heap.Push(&p.waiting, t)
	}
	return t
}

// leave ends a turn, had or not, and lets the next stream in.
func (p *pacer) leave(t *turn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case t.index >= 0:
		heap.Remove(&p.waiting, t.index)
	case len(p.waiting) > 0:
		close(heap.Pop(&p.waiting).(*turn).come) //nolint:errcheck // the heap has nothing else
	default:
		p.free++
	}
}

// waiting is a heap of turns, the earliest first.
type waiting []*turn

// Len implements heap.Interface.
func (w *waiting) Len() int { return len(*w) }

// Less implements heap.Interface.
func (w *waiting) Less(i, j int) bool { return (*w)[i].came.Before((*w)[j].came) }

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
