package admission

import (
	"sync"
	"time"
)

// tracker knows the discovery streams of each node group.
type tracker struct {
	mu     sync.Mutex // guards groups; taken before a stream's own
	groups map[string]map[*stream]struct{}
}

func (t *tracker) add(s *stream) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.groups == nil {
		t.groups = map[string]map[*stream]struct{}{}
	}
	if t.groups[s.group] == nil {
		t.groups[s.group] = map[*stream]struct{}{}
	}
	t.groups[s.group][s] = struct{}{}
}

func (t *tracker) remove(s *stream) {
	t.mu.Lock()
	defer t.mu.Unlock()
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
