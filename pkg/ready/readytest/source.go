// Package readytest helps to test programs and check sources that use package
// ready: Source is a fake check source that a test steers by hand, and
// Conformance is the suite that every kind of check source must pass.
package readytest

import (
	"context"
	"sync"
)

// Source is a fake check source. It has every shape that a ready.Tier takes:
// Wait, HasSynced (a func() bool), Done with Name (a DoneChecker),
// WaitUntilSynced with HasSynced (a krt Syncer) and WaitForCacheSync (a cache).
// It is pending until Sync is called, and then synced for good.
//
// Make one with NewSource. All methods are safe for concurrent use.
type Source struct {
	name string
	done chan struct{} // closed by Sync

	mu      sync.Mutex // guards all below
	err     error      // what Wait returns while it is pending
	panics  any        // what every look at the source panics with; nil: nothing
	changed chan struct{}
	waits   int
	looks   int
}

// NewSource returns a source that is pending.
func NewSource(name string) *Source {
	return &Source{name: name, done: make(chan struct{}), changed: make(chan struct{})}
}

// Sync makes the source synced; it ends Fail and Panic. Further calls do
// nothing.
func (s *Source) Sync() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err, s.panics = nil, nil
	if !closed(s.done) {
		close(s.done)
	}
}

// Fail makes each Wait, also one that is blocked now, return err until Sync or
// another Fail is called. A nil err makes Wait block again. It does nothing to
// a source that is synced.
func (s *Source) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
	s.changeLocked()
}

// Panic makes each Wait, HasSynced, WaitUntilSynced and WaitForCacheSync panic
// with v until Sync is called or Panic is called with nil.
func (s *Source) Panic(v any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.panics = v
	s.changeLocked()
}

func (s *Source) changeLocked() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Waits returns how often a wait for the source has begun, in any of the ways
// that block.
func (s *Source) Waits() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waits
}

// Looks returns how often HasSynced was called.
func (s *Source) Looks() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.looks
}

// Name returns the name that NewSource was given.
func (s *Source) Name() string { return s.name }

// Done returns a channel that Sync closes.
func (s *Source) Done() <-chan struct{} { return s.done }

// HasSynced reports whether Sync was called.
func (s *Source) HasSynced() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looks++
	if s.panics != nil {
		panic(s.panics)
	}
	return closed(s.done)
}

// Wait blocks until Sync is called and returns nil, or returns the error of
// Fail, or that of ctx when it ends.
func (s *Source) Wait(ctx context.Context) error {
	s.mu.Lock()
	s.waits++
	s.mu.Unlock()
	for {
		s.mu.Lock()
		panics, err, changed := s.panics, s.err, s.changed
		s.mu.Unlock()
		switch {
		case panics != nil:
			panic(panics)
		case closed(s.done):
			return nil
		case err != nil:
			return err
		}
		select {
		case <-s.done:
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// WaitUntilSynced is Wait as a krt collection has it: false when stop is closed
// or the source failed.
func (s *Source) WaitUntilSynced(stop <-chan struct{}) bool {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	var running sync.WaitGroup
	defer running.Wait()
	defer close(ended)
	defer cancel()
	running.Go(func() {
		select {
		case <-stop:
			cancel()
		case <-ended:
		}
	})
	return s.Wait(ctx) == nil
}

// WaitForCacheSync is Wait as a controller-runtime cache has it: false when ctx
// ends or the source failed.
func (s *Source) WaitForCacheSync(ctx context.Context) bool { return s.Wait(ctx) == nil }

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
