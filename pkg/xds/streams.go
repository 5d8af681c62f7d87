package xds

import (
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
)

// streams are the streams that are open, and who of them was asked to leave.
type streams struct {
	mu       sync.Mutex // guards the following, and asked of each stream
	open     map[*stream]struct{}
	draining bool
	empty    chan struct{} // closed when none is open any more; nil: nobody waits for that
}

// add takes a stream in. One that comes while the server drains is asked to
// leave at once: it passed the gate just before that shut.
func (s *streams) add(one *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = map[*stream]struct{}{}
	}
	s.open[one] = struct{}{}
	if s.draining {
		one.askLocked(forDrain)
	}
}

func (s *streams) remove(one *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, one)
	s.settleLocked()
}

// drain makes newcomers leave at once, and returns a channel that is closed when
// no stream is open.
func (s *streams) drain() (empty <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.draining = true
	if s.empty == nil {
		s.empty = make(chan struct{})
	}
	empty = s.empty
	s.settleLocked()
	return empty
}

func (s *streams) settleLocked() {
	if s.empty != nil && len(s.open) == 0 {
		close(s.empty)
		s.empty = nil
	}
}

func (s *streams) all() []*stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.open))
}

// connection is a connection of a proxy, by the peer's address, with the streams
// that are open on it.
type connection []*stream

// connections returns those of which no stream was asked to leave, in random order.
func (s *streams) connections() []connection {
	s.mu.Lock()
	defer s.mu.Unlock()
	byAddress := map[string]connection{}
	for one := range s.open {
		byAddress[one.proxy.Address] = append(byAddress[one.proxy.Address], one)
	}
	var list []connection
	for _, c := range byAddress {
		if !slices.ContainsFunc(c, func(one *stream) bool { return one.asked != "" }) {
			list = append(list, c)
		}
	}
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] }) //nolint:gosec // no secret
	return list
}

// ask asks all streams of a connection to leave: a proxy is moved as a whole.
func (s *streams) ask(c connection, why reason) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range c {
		one.askLocked(why)
	}
}

func (s *stream) askLocked(why reason) {
	if s.asked == "" {
		s.asked = why
		close(s.leave)
	}
}
