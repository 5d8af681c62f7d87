package cache

import (
	"runtime"
	"sync"
	"weak"
)

// shared makes Resources that are equal one in memory, while one of them lives:
// the groups of a fleet have most resources in common, and so do the generations
// of a group, also where the program makes every resource anew for each snapshot.
var shared = records{byVersion: make(map[Version]weak.Pointer[record])}

type records struct {
	mu        sync.Mutex // guards byVersion
	byVersion map[Version]weak.Pointer[record]
}

// share returns the record that has r's version, which is r if there was none.
func (t *records) share(r *record) *record {
	t.mu.Lock()
	defer t.mu.Unlock()
	if known := t.byVersion[r.version].Value(); known != nil {
		return known
	}
	t.byVersion[r.version] = weak.Make(r)
	runtime.AddCleanup(r, t.forget, r.version)
	return r
}

// forget drops the entry of a record that nobody uses any more, unless an equal
// one has taken its place since.
func (t *records) forget(version Version) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byVersion[version].Value() == nil {
		delete(t.byVersion, version)
	}
}
