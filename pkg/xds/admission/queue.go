package admission

import (
	"context"
	"sync"
	"time"

	"github.com/xdsready/xdsready/pkg/ready"
)

// outcome is how waiting at the gate ended. All but the first two are values of
// the label "reason" of streams_refused_total.
type outcome string

const (
	admitted     outcome = ""
	canceled     outcome = "canceled" // by the client
	gateShut     outcome = "gate_shut"
	heldTooLong  outcome = "held_too_long"
	tooManyHeld  outcome = "too_many_held"
	drainingNow  outcome = "draining"
	movedAway    outcome = "moved"
	unauthorized outcome = "unauthorised"
)

// queue holds calls in order of arrival. It has no goroutine and one timer: the
// call at its head watches the gate and its own deadline, which is the earliest
// of all because every call gets the same time, while those behind it sleep
// until it leaves. So a held call costs its handler's goroutine, a waiter and a
// channel.
type queue struct {
	// Set once.
	reg            *ready.Registry
	timeout        time.Duration
	maxCalls       int
	maxConnections int

	mu      sync.Mutex // guards the following, and the links of each waiter; leaf lock
	head    *waiter    // the first to arrive; nil: nobody waits
	tail    *waiter
	length  int
	perConn map[any]int // waiting calls of each connection that has any
}

// waiter is one held call.
type waiter struct {
	conn     any
	deadline time.Time
	turn     chan struct{} // closed when the waiter is at the head

	ahead, behind *waiter // its neighbours in the queue
}

func newQueue(reg *ready.Registry, o Options) *queue {
	return &queue{
		reg:            reg,
		timeout:        o.HoldTimeout,
		maxCalls:       o.MaxHeld,
		maxConnections: o.MaxHeldConnections,
		perConn:        map[any]int{},
	}
}

// held returns how many calls wait.
func (q *queue) held() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.length
}

// wait blocks until the call's turn has come and the gate is open, and returns
// admitted, or else why it may not pass. When wait returns, the next call's
// turn has come: calls are admitted one after the other in order of arrival.
// conn identifies the call's connection.
func (q *queue) wait(ctx context.Context, conn any) outcome {
	w, ok := q.join(conn)
	if !ok {
		return tooManyHeld
	}
	defer q.leave(w)
	select {
	case <-w.turn:
		return q.watch(ctx, w.deadline)
	case <-ctx.Done():
		return canceled
	}
}

// watch is wait for the head of the queue.
func (q *queue) watch(ctx context.Context, deadline time.Time) outcome {
	var expired <-chan time.Time // made late: none is needed while the queue is released
	for {
		changed := q.reg.Changed()
		switch {
		case ctx.Err() != nil:
			return canceled
		case q.reg.Open():
			return admitted
		case q.reg.Phase() == ready.Draining: // the gate will not open any more
			return drainingNow
		}
		if expired == nil {
			expired = time.After(time.Until(deadline)) // unreferenced, it is collected with its timer
		}
		select {
		case <-changed:
		case <-expired:
			return heldTooLong
		case <-ctx.Done():
			return canceled
		}
	}
}

// join puts a call at the tail of the queue, unless a bound forbids it.
func (q *queue) join(conn any) (*waiter, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.length >= q.maxCalls || q.perConn[conn] == 0 && len(q.perConn) >= q.maxConnections {
		return nil, false
	}
	w := &waiter{conn: conn, deadline: time.Now().Add(q.timeout), turn: make(chan struct{}), ahead: q.tail}
	if w.ahead == nil {
		q.head = w
		close(w.turn)
	} else {
		w.ahead.behind = w
	}
	q.tail = w
	q.length++
	q.perConn[conn]++
	return w, true
}

// leave takes a call out of the queue. If it was at the head, its turn passes on.
func (q *queue) leave(w *waiter) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if w.behind == nil {
		q.tail = w.ahead
	} else {
		w.behind.ahead = w.ahead
	}
	if w.ahead != nil {
		w.ahead.behind = w.behind
	} else {
		q.head = w.behind
		if q.head != nil {
			close(q.head.turn)
		}
	}
	q.length--
	q.perConn[w.conn]--
	if q.perConn[w.conn] == 0 {
		delete(q.perConn, w.conn)
	}
}
