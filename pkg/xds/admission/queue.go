package admission

import (
	"container/list"
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
	unauthorized outcome = "unauthorised"
)

// queue holds calls in order of arrival. It has no goroutine and one timer: the
// call at its head watches the gate and its own deadline, which is the earliest
// of all because every call gets the same time, while those behind it sleep
// until it leaves. So a held call costs its handler's goroutine and a list
// element.
type queue struct {
	// Set once.
	reg            *ready.Registry
	timeout        time.Duration
	maxCalls       int
	maxConnections int

	mu      sync.Mutex  // guards the following; leaf lock
	waiting *list.List  // of *waiter, the first to arrive in front
	perConn map[any]int // waiting calls of each connection that has any
}

// waiter is one held call.
type waiter struct {
	conn     any
	deadline time.Time
	turn     chan struct{} // closed when the waiter is at the head
}

func newQueue(reg *ready.Registry, o Options) *queue {
	return &queue{
		reg:            reg,
		timeout:        o.HoldTimeout,
		maxCalls:       o.MaxHeld,
		maxConnections: o.MaxHeldConnections,
		waiting:        list.New(),
		perConn:        map[any]int{},
	}
}

// length returns how many calls wait.
func (q *queue) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.waiting.Len()
}

// wait blocks until the call's turn has come and the gate is open, and returns
// admitted, or else why it may not pass. When wait returns, the next call's
// turn has come: calls are admitted one after the other in order of arrival.
// conn identifies the call's connection.
func (q *queue) wait(ctx context.Context, conn any) outcome {
	place, ok := q.join(conn)
	if !ok {
		return tooManyHeld
	}
	defer q.leave(place)
	w := place.Value.(*waiter)
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
		case draining(q.reg):
			return drainingNow
		case expired == nil:
			timer := time.NewTimer(time.Until(deadline))
			defer timer.Stop()
			expired = timer.C
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

// join puts a call at the end of the queue, unless a bound forbids it.
func (q *queue) join(conn any) (*list.Element, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.waiting.Len() >= q.maxCalls || q.perConn[conn] == 0 && len(q.perConn) >= q.maxConnections {
		return nil, false
	}
	w := &waiter{conn: conn, deadline: time.Now().Add(q.timeout), turn: make(chan struct{})}
	place := q.waiting.PushBack(w)
	if place == q.waiting.Front() {
		close(w.turn)
	}
	q.perConn[conn]++
	return place, true
}

// leave takes a call out of the queue and gives the turn to the next if the
// call was at the head.
func (q *queue) leave(place *list.Element) {
	q.mu.Lock()
	defer q.mu.Unlock()
	next := place.Next()
	head := place == q.waiting.Front()
	w := q.waiting.Remove(place).(*waiter)
	if head && next != nil {
		close(next.Value.(*waiter).turn)
	}
	if q.perConn[w.conn]--; q.perConn[w.conn] == 0 {
		delete(q.perConn, w.conn)
	}
}
