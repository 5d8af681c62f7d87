package admission

import (
	"context"
	"errors"
	"io"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// neighbours is how far the scheduler may move a handler's first statement
// against the order in which the handlers were called, and stragglers how many
// it may move further. The turns themselves are exact: see
// TestQueueTurnsComeInOrderOfArrival.
const (
	neighbours = 3
	stragglers = 10
)

func TestHeldStreamsAreReleasedInOrderOfArrival(t *testing.T) {
	// With one processor a handler that was called first has its say first, as
	// long as it is not preempted.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var mu sync.Mutex // guards started
	var started []int
	handle := func(s adsStream) error {
		md, _ := metadata.FromIncomingContext(s.Context())
		number, err := strconv.Atoi(strings.Join(md["number"], ""))
		mu.Lock()
		defer mu.Unlock()
		started = append(started, number)
		return err
	}
	o := rigOptions{Options: Options{Mode: Hold}, handle: handle}
	synctest.Test(t, func(t *testing.T) {
		r := inMemory(t, o)
		const streams = 100
		connections := []*grpc.ClientConn{r.dial(t), r.dial(t), r.dial(t)}
		var recv []func() error
		for i := range streams {
			ctx := metadata.AppendToOutgoingContext(t.Context(), "number", strconv.Itoa(i))
			s := openStream(ctx, t, connections[i%len(connections)])
			synctest.Wait() // it is held now, and silent
			recv = append(recv, func() error { _, err := s.Recv(); return err })
		}
		if len(started) != 0 {
			t.Fatalf("%d handlers were called with the gate shut", len(started))
		}
		r.open()
		for i, recv := range recv {
			if err := recv(); !errors.Is(err, io.EOF) {
				t.Errorf("stream %d: got %v, want its handler's end", i, err)
			}
		}
		displaced := 0
		for i, number := range started {
			if max(number-i, i-number) > neighbours {
				displaced++
			}
		}
		if len(started) != streams || displaced > stragglers {
			t.Errorf("%d of %d streams were started more than %d places from their order of arrival: %v",
				displaced, len(started), neighbours, started)
		}
	})
}

func TestHoldEndsInARefusal(t *testing.T) {
	o := rigOptions{Options: Options{Mode: Hold, HoldTimeout: 5 * time.Second, MaxHeld: 1}}
	synctest.Test(t, func(t *testing.T) {
		r := inMemory(t, o)
		first := openStream(t.Context(), t, r.dial(t))
		synctest.Wait()
		began := time.Now()
		_, err := openStream(t.Context(), t, r.dial(t)).Recv()
		wantHoldRefused(t, err, "not held: at most 1 streams and 1 connections are")
		if got := time.Since(began); got != 0 {
			t.Errorf("the second was refused after %v, want at once", got)
		}
		_, err = first.Recv()
		wantHoldRefused(t, err, "held for 5s")
		if got := time.Since(began); got != 5*time.Second {
			t.Errorf("the first was refused after %v, want 5 s", got)
		}
	})
}

func wantHoldRefused(t *testing.T, err error, text string) {
	t.Helper()
	wantRefused(t, err)
	if !strings.Contains(err.Error(), text) {
		t.Errorf("got %v, want a text with %q", err, text)
	}
}

func TestACancelledStreamGivesItsPlaceBack(t *testing.T) {
	o := rigOptions{Options: Options{Mode: Hold, MaxHeld: 1}}
	synctest.Test(t, func(t *testing.T) {
		r := inMemory(t, o)
		cc := r.dial(t)
		ctx, cancel := context.WithCancel(t.Context())
		openStream(ctx, t, cc)
		synctest.Wait()
		cancel()
		synctest.Wait()
		s := openStream(t.Context(), t, cc)
		synctest.Wait()
		r.open()
		if _, err := s.Recv(); !errors.Is(err, io.EOF) {
			t.Errorf("got %v, want the handler's own end (EOF)", err)
		}
	})
}
