package xds

import (
	"fmt"
	"sync"
	"time"

	"github.com/xdsready/xdsready/pkg/xds/publish"
)

// validateGuard checks the options of the guard against large losses.
func (o Options) validateGuard() error {
	switch {
	case o.MaxRemovals < 0 || o.MaxRemovals > 100:
		return fmt.Errorf("MaxRemovals is %d: it must be a percentage, 0 to 100", o.MaxRemovals)
	case o.HoldRemovals < 0:
		return fmt.Errorf("HoldRemovals is %v: it must not be negative", o.HoldRemovals)
	}
	return nil
}

// told is which losses were logged: all proxies of a group have the same, of
// which one line is enough. The zero told has logged none.
type told struct {
	mu    sync.Mutex // guards until
	until map[loss]time.Time
}

type loss struct{ group, typeURL string }

// first reports whether a loss was not logged within the last while.
func (t *told) first(l loss, now time.Time, while time.Duration) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now.Before(t.until[l]) {
		return false
	}
	if t.until == nil {
		t.until = map[loss]time.Time{}
	}
	t.until[l] = now.Add(while)
	return true
}

// reportHeld logs the first of the proxies of a group from which the guard keeps a loss.
func (s *Server) reportHeld(one *stream, e publish.Event) {
	if !s.told.first(loss{one.proxy.Group, e.TypeURL}, time.Now(), s.options.HoldRemovals) {
		return
	}
	s.logger(one, e).Warn("much would be removed at once: it is held, here and for other proxies of the group",
		"removals", e.Message, "names", e.Names, "for", s.options.HoldRemovals)
}

// removals returns how many clusters of the proxy wait to be removed, and of how
// many resources the guard holds the removal.
func (s *stream) removals() (pending, held int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.machine == nil {
		return 0, 0
	}
	return s.machine.RemovalsPending(), s.machine.RemovalsHeld()
}
