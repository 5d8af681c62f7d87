package gocontrolplane

import (
	"context"
	"sync"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"

	"github.com/xdsready/xdsready/pkg/cache"
)

// groups has a follower for each node group that a proxy asks for, so that the
// store has what these groups have in the program's cache. A group is followed
// while it has a stream, and for the retention after that.
type groups struct {
	cache   cachev3.Cache
	store   *cache.Store
	options Options
	// spawn runs a function until stop is called or the server ends.
	spawn func(func(context.Context)) (stop context.CancelFunc)

	mu        sync.Mutex // guards all below, and the changes of store
	followers map[string]*follower
}

func newGroups(ctx context.Context, c cachev3.Cache, o Options) *groups {
	return &groups{
		cache: c, store: &cache.Store{}, options: o,
		spawn: func(run func(context.Context)) context.CancelFunc {
			ctx, stop := context.WithCancel(ctx)
			go run(ctx)
			return stop
		},
		followers: map[string]*follower{},
	}
}

// join counts a stream of the node's group. When it returns, the store has what
// the cache has for the group at this moment, or the group is not known.
// Whoever joined calls leave when the stream ends.
func (g *groups) join(node *corev3.Node) *follower {
	f := g.count(g.options.Hash.ID(node), node)
	f.started.Do(func() {
		f.routes = routesOf(g.cache, node)
		f.refresh()
		f.stop = g.spawn(f.run)
	})
	return f
}

func (g *groups) count(group string, node *corev3.Node) *follower {
	g.mu.Lock()
	defer g.mu.Unlock()
	f, ok := g.followers[group]
	if !ok {
		f = &follower{groups: g, group: group, node: node}
		g.followers[group] = f
	}
	f.streams++
	if f.expiry != nil {
		f.expiry.Stop()
	}
	return f
}

// leave ends what join began.
func (g *groups) leave(f *follower) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f.streams--
	if f.streams > 0 {
		return
	}
	// An unknown group has nothing to keep; a name that anyone can make up must
	// not cost anything for longer than its stream.
	if _, known := g.store.Get(f.group); !known {
		g.dropLocked(f)
		return
	}
	f.expiry = time.AfterFunc(g.options.Retention, func() { g.expire(f) })
}

// expire drops a group at the end of its retention, unless it has streams again.
func (g *groups) expire(f *follower) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if f.streams == 0 {
		g.dropLocked(f)
	}
}

func (g *groups) dropLocked(f *follower) {
	f.stop()
	if g.followers[f.group] != f {
		return
	}
	delete(g.followers, f.group)
	now := time.Now()
	g.store.Remove(f.group, now)
	g.store.Expire(now, 0)
}

// set stores the snapshot of a group, unless that has been dropped meanwhile.
func (g *groups) set(f *follower, snapshot *cache.Snapshot) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.followers[f.group] == f {
		g.store.Set(f.group, snapshot)
	}
}
