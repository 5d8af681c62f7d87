package cache

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// isClosed reports whether a channel is closed.
func isClosed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

func TestStoreSet(t *testing.T) {
	before := func(name string) *Snapshot { return build(t, Options{}, staticCluster(name)) }
	after := func(name string) *Snapshot { return build(t, Options{AfterInputs: true}, staticCluster(name)) }
	for _, tt := range []struct {
		name                    string
		old, next               *Snapshot // old nil: the group is new
		wantStored, wantChanged bool
	}{
		{"a new group is a change", nil, before("a"), true, true},
		{"other content is a change", before("a"), before("b"), true, true},
		{"equal content is none", before("a"), before("a"), true, false},
		{"equal content, now after its inputs, is stored silently", before("a"), after("a"), true, false},
		{"after its inputs replaces before", before("a"), after("b"), true, true},
		{"before its inputs never replaces after", after("a"), before("b"), false, false},
		{"not even with equal content", after("a"), before("a"), false, false},
		{"an empty snapshot after its inputs is knowledge", after("a"), build(t, Options{AfterInputs: true}), true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var store Store
			if tt.old != nil {
				store.Set("g", tt.old)
			}
			changed := store.Changed()
			if got := store.Set("g", tt.next); got != tt.wantStored {
				t.Errorf("Set = %t, want %t", got, tt.wantStored)
			}
			want := tt.old
			if tt.wantStored {
				want = tt.next
			}
			if got, ok := store.Get("g"); got != want || !ok {
				t.Errorf("Get = %p, %t, want %p, true", got, ok, want)
			}
			if got := isClosed(changed); got != tt.wantChanged {
				t.Errorf("Changed() is closed: %t, want %t", got, tt.wantChanged)
			}
		})
	}
}

func TestStoreOfNothing(t *testing.T) {
	var store Store
	if s, ok := store.Get("g"); s != nil || ok {
		t.Errorf("Get of an unknown group = %v, %t, want nil, false", s, ok)
	}
	store.Remove("g", time.Now())
	if got := store.Expire(time.Now(), 0); got != nil {
		t.Errorf("Expire = %q, want none", got)
	}
	if got := store.Groups(); got != nil {
		t.Errorf("Groups() = %q, want none", got)
	}
	if isClosed(store.Changed()) {
		t.Error("Changed() is closed although nothing was set")
	}
}

// TestGroupThatDisappears follows one group through a removal by mistake and a
// final one, minute by minute.
func TestGroupThatDisappears(t *testing.T) {
	start := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	minute := func(n int) time.Time { return start.Add(time.Duration(n) * time.Minute) }
	first, second := build(t, Options{}, staticCluster("a")), build(t, Options{AfterInputs: true}, staticCluster("b"))
	var store Store
	store.Set("other", first)
	store.Set("g", first)
	for _, step := range []struct {
		name        string
		do          func() []string // returns the groups that are dropped
		wantDropped []string
		wantChanged bool
		wantGroups  []string
	}{
		{"it disappears: nothing changes for its proxies", func() []string { store.Remove("g", minute(0)); return nil }, nil, false, []string{"g", "other"}},
		{"just before the end", func() []string { return store.Expire(minute(60).Add(-1), time.Hour) }, nil, false, []string{"g", "other"}},
		{"it is back with equal content: no change", func() []string { store.Set("g", first); return nil }, nil, false, []string{"g", "other"}},
		{"and does not expire", func() []string { return store.Expire(minute(60), time.Hour) }, nil, false, []string{"g", "other"}},
		{"other content", func() []string { store.Set("g", second); return nil }, nil, true, []string{"g", "other"}},
		{"it disappears again", func() []string { store.Remove("g", minute(60)); return nil }, nil, false, []string{"g", "other"}},
		{"a snapshot that is refused is a sign of life too", func() []string { store.Set("g", first); return nil }, nil, false, []string{"g", "other"}},
		{"so it does not expire", func() []string { return store.Expire(minute(200), time.Hour) }, nil, false, []string{"g", "other"}},
		{"all disappear", func() []string { store.Remove("other", minute(60)); store.Remove("g", minute(60)); return nil }, nil, false, []string{"g", "other"}},
		{"again: the first time counts", func() []string { store.Remove("g", minute(90)); return nil }, nil, false, []string{"g", "other"}},
		{"and are dropped, by name", func() []string { return store.Expire(minute(120), time.Hour) }, []string{"g", "other"}, true, nil},
		{"once", func() []string { return store.Expire(minute(180), time.Hour) }, nil, false, nil},
	} {
		t.Run(step.name, func(t *testing.T) {
			changed := store.Changed()
			if diff := cmp.Diff(step.wantDropped, step.do()); diff != "" {
				t.Errorf("dropped (-want +got):\n%s", diff)
			}
			if got := isClosed(changed); got != step.wantChanged {
				t.Errorf("Changed() is closed: %t, want %t", got, step.wantChanged)
			}
			if diff := cmp.Diff(step.wantGroups, store.Groups()); diff != "" {
				t.Errorf("Groups() (-want +got):\n%s", diff)
			}
		})
	}
}

// TestNoChangeIsLost has a reader that follows Changed as its comment says,
// while writers set snapshots as fast as they can. If one change fell between
// taking the channel and reading, the reader would wait for ever: the bubble
// would end in a deadlock.
func TestNoChangeIsLost(t *testing.T) {
	const writers, rounds = 4, 200
	snapshots := make([]*Snapshot, rounds)
	for i := range snapshots {
		snapshots[i] = build(t, Options{AfterInputs: true}, staticCluster(fmt.Sprint("c", i)))
	}
	last := snapshots[rounds-1].ContentVersion()
	synctest.Test(t, func(*testing.T) {
		var store Store
		var all sync.WaitGroup
		for w := range writers {
			all.Go(func() {
				for _, s := range snapshots {
					store.Set(fmt.Sprint("g", w), s)
				}
			})
		}
		all.Go(func() {
			for {
				changed := store.Changed()
				done := 0
				for _, group := range store.Groups() {
					if s, _ := store.Get(group); s.ContentVersion() == last {
						done++
					}
				}
				if done == writers {
					return
				}
				<-changed
			}
		})
		all.Wait()
	})
}

// TestStoreFromManyGoroutines calls every method at once: it is the race
// detector that finds fault.
func TestStoreFromManyGoroutines(t *testing.T) {
	first, second := build(t, Options{}, staticCluster("a")), build(t, Options{AfterInputs: true}, staticCluster("b"))
	var store Store
	var all sync.WaitGroup
	for i := range 8 {
		group := fmt.Sprint("g", i%2)
		all.Go(func() {
			for range 100 {
				store.Set(group, first)
				store.Set(group, second)
				store.Remove(group, time.Time{}.Add(1))
				store.Expire(time.Now(), time.Hour)
				if s, ok := store.Get(group); ok && s.Version(first.Types()[0]) == (Version{}) {
					t.Error("a stored snapshot is empty")
				}
				store.Groups()
				store.Changed()
			}
		})
	}
	all.Wait()
}
