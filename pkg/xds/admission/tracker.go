package admission

import (
	"sync"
	"time"
)

// tracker knows the discovery streams of each node group.
type tracker struct {
	mu     sync.Mutex // guards groups, and group and ended of each stream; taken before a stream's own
	groups map[string]map[*stream]struct{}
}

// add puts a stream into a group, unless the stream has ended.
func (t *tracker) add(s *stream, group string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.ended {
		return
	}
	if t.groups == nil {
		t.groups = map[string]map[*stream]struct{}{}
	}
	if t.groups[group] == nil {
		t.groups[group] = map[*stream]struct{}{}
	}
	t.groups[group][s] = struct{}{}
	s.group = group
}

// end takes a stream out for good, also one that was never added.
func (t *tracker) end(s *stream) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s.ended = true
	delete(t.groups[s.group], s)
	if len(t.groups[s.group]) == 0 {
		delete(t.groups, s.group)
	}
}

// stored tells the streams of a group that it has a new snapshot.
func (t *tracker) stored(group string, now time.Time, m *metrics) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for s := range t.groups[group] {
		s.mu.Lock()
		m.observe(s.progress.onStored(now))
		s.mu.Unlock()
	}
}

// census is the state of all streams at one moment.
type census struct {
	syncing, converged int
	oldest             time.Duration // how long the oldest unconverged stream has been so
}

// count takes the census. It also measures the convergences that have ended,
// which no message may have told.
func (t *tracker) count(now time.Time, m *metrics) (c census) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, streams := range t.groups {
		for s := range streams {
			s.mu.Lock()
			p := &s.progress
			if p.quiet(now) {
				m.observe(p.finish())
			}
			if p.converged() {
				c.converged++
			} else {
				c.syncing++
				c.oldest = max(c.oldest, now.Sub(p.since))
			}
			s.mu.Unlock()
		}
	}
	return c
}
