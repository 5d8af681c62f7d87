package xds

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/xdsready/xdsready/pkg/cache"
	"github.com/xdsready/xdsready/pkg/xds/publish"
)

// Generations that are remembered to understand the versions that SotW proxies
// bring along, and what delta proxies hold, after a reconnect.
const (
	generationAge   = time.Hour
	generationBytes = 64 << 20 // per group, of memory that no newer generation takes
	generationCount = 1000     // per group, for each is looked through
)

// edition is a snapshot of a group as its streams get it. It never changes.
type edition struct {
	target   *publish.Target
	replaced chan struct{} // closed when the group has a newer one
	bodies   [2]sync.Map   // type URL → func() *body, by form
}

// generation is a snapshot that a group had before.
type generation struct {
	snapshot *cache.Snapshot
	until    time.Time // when another replaced it
	bytes    int       // that it takes beside the next one
}

// group is a node group that the store knows or has known.
type group struct {
	current atomic.Pointer[edition]

	mu   sync.Mutex   // guards past, and is held while current is replaced
	past []generation // newest first
}

// refreshLocked makes the snapshot the current edition, unless its content is
// that already, and reports whether it did.
func (g *group) refreshLocked(snapshot *cache.Snapshot, now time.Time) bool {
	last := g.current.Load()
	if last != nil {
		before := last.target.Snapshot()
		if before.ContentVersion() == snapshot.ContentVersion() {
			return false
		}
		g.past = append([]generation{{before, now, before.SizeBeside(snapshot)}}, g.past...)
	}
	g.renewLocked(snapshot, now)
	return true
}

// learn adds a generation that another replica has had to those of the past.
func (g *group) learn(served *cache.Snapshot, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	current := g.current.Load().target.Snapshot()
	for _, old := range g.past {
		if old.snapshot.ContentVersion() == served.ContentVersion() {
			return // another stream was faster
		}
	}
	g.past = append([]generation{{served, now, served.SizeBeside(current)}}, g.past...)
	g.renewLocked(current, now)
}

// renewLocked makes an edition of a snapshot and the past.
func (g *group) renewLocked(snapshot *cache.Snapshot, now time.Time) {
	g.forgetLocked(now)
	last := g.current.Load()
	past := make([]*cache.Snapshot, len(g.past))
	for i, old := range g.past {
		past[i] = old.snapshot
	}
	var next *publish.Target
	if last != nil {
		next = last.target.Next(snapshot, past)
	} else {
		next = publish.NewTarget(snapshot, past)
	}
	g.current.Store(&edition{target: next, replaced: make(chan struct{})})
	if last != nil {
		close(last.replaced)
	}
}

// forgetLocked drops the generations that are too old or too many.
func (g *group) forgetLocked(now time.Time) {
	bytes := 0
	for i, old := range g.past {
		bytes += old.bytes
		if i >= generationCount || bytes > generationBytes || now.Sub(old.until) > generationAge {
			clear(g.past[i:])
			g.past = g.past[:i]
			return
		}
	}
}

func (g *group) generationBytes() (bytes int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, old := range g.past {
		bytes += old.bytes
	}
	return bytes
}

// groups are the node groups by name. A group stays when the store drops it,
// for the streams that it has: they keep what they have, and go on if it is back.
type groups struct {
	mu     sync.Mutex // guards byName
	byName map[string]*group
}

// get returns the group of that name, made if it is new.
func (g *groups) get(name string) *group {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.byName == nil {
		g.byName = map[string]*group{}
	}
	if g.byName[name] == nil {
		g.byName[name] = &group{}
	}
	return g.byName[name]
}

func (g *groups) generationBytes() (bytes int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, one := range g.byName {
		bytes += one.generationBytes()
	}
	return bytes
}
