package admission

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/xdsready/xdsready/pkg/ready"
)

// line is a queue with the calls that wait in it.
type line struct {
	queue *queue
	open  func() // the gate

	mu       sync.Mutex // guards outcomes
	outcomes map[string]outcome
}

func newLine(o Options) *line {
	reg := ready.NewWithOptions(ready.Options{Logger: slog.New(slog.DiscardHandler)}, "inputs")
	open := reg.Tier("inputs").Signal("endpoints")
	return &line{queue: newQueue(reg, o.withDefaults()), open: open, outcomes: map[string]outcome{}}
}

// call waits in the line on a goroutine of its own and returns when it is
// either held or has an outcome.
func (l *line) call(ctx context.Context, name string, conn any) {
	go func() {
		o := l.queue.wait(ctx, conn)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.outcomes[name] = o
	}()
	synctest.Wait()
}

// want compares all outcomes so far and the number of calls still held.
func (l *line) want(t *testing.T, outcomes map[string]outcome, held int) {
	t.Helper()
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	if diff := cmp.Diff(outcomes, l.outcomes); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	if got := l.queue.held(); got != held {
		t.Errorf("%d calls are held, want %d", got, held)
	}
	l.queue.mu.Lock()
	defer l.queue.mu.Unlock()
	if conns := len(l.queue.perConn); conns > held {
		t.Errorf("%d connections are counted for %d calls", conns, held)
	}
}

func TestQueueBounds(t *testing.T) {
	for _, tc := range []struct {
		name  string
		o     Options
		conns []string // of calls a, b, c… in order
		want  map[string]outcome
	}{
		{
			name: "one call too many", o: Options{MaxHeld: 2}, conns: []string{"1", "2", "3"},
			want: map[string]outcome{"c": tooManyHeld},
		},
		{
			name: "one connection too many", o: Options{MaxHeld: 10, MaxHeldConnections: 1}, conns: []string{"1", "2", "1"},
			want: map[string]outcome{"b": tooManyHeld},
		},
		{
			name: "a connection takes no more than MaxHeld", o: Options{MaxHeld: 2, MaxHeldConnections: 1}, conns: []string{"1", "1", "1"},
			want: map[string]outcome{"c": tooManyHeld},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				l := newLine(tc.o)
				for i, conn := range tc.conns {
					l.call(ctx, string(rune('a'+i)), conn)
				}
				l.want(t, tc.want, len(tc.conns)-len(tc.want))
			})
		})
	}
}

func TestQueueCancelFreesThePlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(Options{MaxHeld: 3})
		first, cancelFirst := context.WithCancel(t.Context())
		middle, cancelMiddle := context.WithCancel(t.Context())
		l.call(first, "first", 1)
		l.call(middle, "middle", 2)
		l.call(t.Context(), "last", 3)
		cancelMiddle()
		l.want(t, map[string]outcome{"middle": canceled}, 2)
		cancelFirst()
		l.want(t, map[string]outcome{"middle": canceled, "first": canceled}, 1)
		l.call(t.Context(), "new", 4)
		l.open() // the turn was passed on: the rest is admitted
		l.want(t, map[string]outcome{"middle": canceled, "first": canceled, "last": admitted, "new": admitted}, 0)
	})
}

func TestQueueTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(Options{HoldTimeout: 10 * time.Second})
		l.call(t.Context(), "first", 1)
		time.Sleep(4 * time.Second)
		l.call(t.Context(), "second", 1)
		time.Sleep(6*time.Second - time.Nanosecond)
		l.want(t, map[string]outcome{}, 2)
		time.Sleep(time.Nanosecond)
		l.want(t, map[string]outcome{"first": heldTooLong}, 1)
		time.Sleep(4*time.Second - time.Nanosecond)
		l.want(t, map[string]outcome{"first": heldTooLong}, 1)
		time.Sleep(time.Nanosecond)
		l.want(t, map[string]outcome{"first": heldTooLong, "second": heldTooLong}, 0)
	})
}

func TestQueueDrainRefusesTheHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(Options{})
		ctx, end := context.WithCancel(t.Context())
		go func() { _ = l.queue.reg.Start(ctx) }()
		l.call(t.Context(), "first", 1)
		l.call(t.Context(), "second", 2)
		end()
		l.want(t, map[string]outcome{"first": drainingNow, "second": drainingNow}, 0)
	})
}

func TestQueueTurnsComeInOrderOfArrival(t *testing.T) {
	l := newLine(Options{MaxHeld: 5})
	var waiters []*waiter
	for range 5 {
		w, ok := l.queue.join("conn")
		if !ok {
			t.Fatal("join: the queue is full")
		}
		waiters = append(waiters, w)
	}
	l.queue.leave(l.queue.tail) // one that is not at the head passes no turn on
	waiters = waiters[:4]
	for left := range waiters {
		var turns []bool
		for _, w := range waiters {
			turns = append(turns, isClosed(w.turn))
		}
		want := slices.Repeat([]bool{true}, left+1)
		want = append(want, slices.Repeat([]bool{false}, len(waiters)-left-1)...)
		if diff := cmp.Diff(want, turns); diff != "" {
			t.Fatalf("whose turn it is after %d have left (-want +got):\n%s", left, diff)
		}
		l.queue.leave(l.queue.head)
	}
}

func isClosed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}
