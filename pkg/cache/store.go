package cache

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// DefaultRetention is how long a group that disappeared keeps its snapshot. It
// outlasts a namespace that is deleted and made again, or a source that loses a
// directory for a while; until it ends, proxies of the group lose nothing.
const DefaultRetention = time.Hour

// Store maps each node group to its latest snapshot. The zero Store is empty
// and ready to use. All methods are safe for concurrent use; none holds the
// lock for longer than one look into a map, except Groups and Expire, which go
// over the groups.
type Store struct {
	mu      sync.RWMutex // guards all below
	groups  map[string]entry
	changed chan struct{} // closed by wakeLocked; nil: nobody has asked
}

type entry struct {
	snapshot *Snapshot
	removed  time.Time // when the group disappeared; zero: it has not
}

// Set makes snapshot the latest of the group. It returns false, and keeps what
// it has, if that was computed after its inputs and snapshot was not: proxies
// must not go back from what is known to what is only not known yet. A nil
// snapshot is refused too: it would empty the group's proxies. (One that Build
// made of no resources does that on purpose.)
//
// Only other content is a change (see [Store.Changed]). A snapshot of equal
// content takes the place of the stored one silently; it may differ in what it
// says about absent resources. A group that had disappeared is back.
func (s *Store) Set(group string, snapshot *Snapshot) (stored bool) {
	if snapshot == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old, ok := s.groups[group]
	stored = snapshot.AfterInputs() || !old.snapshot.AfterInputs()
	if !stored {
		snapshot = old.snapshot
	}
	if s.groups == nil {
		s.groups = make(map[string]entry)
	}
	s.groups[group] = entry{snapshot: snapshot}
	if !ok || old.snapshot.ContentVersion() != snapshot.ContentVersion() {
		s.wakeLocked()
	}
	return stored
}

// Get returns the latest snapshot of the group, and whether the group is known.
// A group that disappeared is known until it expires.
func (s *Store) Get(group string) (*Snapshot, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	e, ok := s.groups[group]
	return e.snapshot, ok
}

// Groups returns the names of all known groups, sorted.
func (s *Store) Groups() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Sorted(maps.Keys(s.groups))
}

// Remove says that the group has disappeared from the configuration. Its
// snapshot stays, since a group that is gone by mistake must not take its
// proxies' config with it; Expire drops it. Removing an unknown group, or one
// again, does nothing.
func (s *Store) Remove(group string, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.groups[group]; ok && e.removed.IsZero() {
		s.groups[group] = entry{e.snapshot, now}
	}
}

// Expire drops the groups that disappeared at least retention before now and
// returns their names, sorted. The store has no clock: its owner calls this
// from time to time, usually with [DefaultRetention].
func (s *Store) Expire(now time.Time, retention time.Duration) (dropped []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for group, e := range s.groups {
		if !e.removed.IsZero() && now.Sub(e.removed) >= retention {
			dropped = append(dropped, group)
			delete(s.groups, group)
		}
	}
	if len(dropped) > 0 {
		s.wakeLocked()
	}
	slices.Sort(dropped)
	return dropped
}

// Changed returns a channel that is closed at the next change: a new group,
// other content, or an expired group. Take it before reading, so that no change
// falls between the two:
//
//	for {
//		changed := store.Changed()
//		publish(store)
//		<-changed
//	}
func (s *Store) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return s.changed
}

func (s *Store) wakeLocked() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}
