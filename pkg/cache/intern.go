package cache

import (
	"runtime"
	"sync"
	"weak"
)

// shared makes resources of equal content share it, in memory, while one of
// them lives: the groups of a fleet have most resources in common, and so do
// the generations of a group, also where the program makes every resource anew
// for each snapshot.
var shared = interned{byVersion: make(map[Version]weak.Pointer[content])}

type interned struct {
	mu        sync.Mutex // guards byVersion
	byVersion map[Version]weak.Pointer[content]
}

// share returns the content that is known under the version, or makes c known.
func (t *interned) share(version Version, c *content) *content {
	t.mu.Lock()
	defer t.mu.Unlock()
	if known := t.byVersion[version].Value(); known != nil {
		return known
	}
	t.byVersion[version] = weak.Make(c)
	runtime.AddCleanup(c, t.forget, version)
	return c
}

// forget drops the entry of a content that nobody uses any more, unless an
// equal one has taken its place since.
func (t *interned) forget(version Version) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byVersion[version].Value() == nil {
		delete(t.byVersion, version)
	}
}
