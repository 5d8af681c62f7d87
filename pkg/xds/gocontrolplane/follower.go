package gocontrolplane

import (
	"context"
	"sync"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"

	"github.com/xdsready/xdsready/pkg/cache"
)

// settleTime is how long changes of a cache that is not atomic are gathered: an
// update of several of its types, one after the other, takes microseconds.
const settleTime = 5 * time.Millisecond

// follower keeps the snapshot of one node group equal to what the program's
// cache has for it.
type follower struct {
	groups *groups
	group  string
	node   *corev3.Node // the first proxy of the group: a MuxCache may look at it

	started sync.Once
	stop    context.CancelFunc
	routes  []route
	failure string // the last error of refresh that was logged

	streams int         // guarded by groups.mu
	expiry  *time.Timer // guarded by groups.mu; nil: the group always had a stream
}

// run refreshes the group at each change of the cache, until ctx ends.
// What changed between the first refresh and the first watch is not lost: a
// watch begins with an answer.
func (f *follower) run(ctx context.Context) {
	changed := make(chan struct{}, 1)
	for _, r := range f.routes {
		w := &watch{route: r, group: f.group, node: f.node, changed: changed}
		go w.run(ctx)
	}
	settle := settleTime
	if _, atomic := f.groups.cache.(cachev3.SnapshotCache); atomic {
		settle = 0
	}
	for {
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
		select {
		case <-time.After(settle):
		case <-ctx.Done():
			return
		}
		f.refresh()
	}
}

// refresh reads the cache and stores what it has. A group that the cache does
// not know stays as it is, and so does one whose content makes no snapshot.
func (f *follower) refresh() {
	resources, err := read(f.routes, f.group)
	if err != nil {
		f.groups.options.Server.Logger.Debug("the cache has no snapshot", "group", f.group, "error", err)
		return
	}
	previous, _ := f.groups.store.Get(f.group)
	snapshot, err := cache.FromGoControlPlane(resources, cache.Options{Previous: previous, AfterInputs: true})
	if err != nil {
		f.logOnce(err)
		return
	}
	f.failure = ""
	f.groups.set(f, snapshot)
}

// logOnce logs an error unless it is the one that was logged last: a change of
// several types is seen several times.
func (f *follower) logOnce(err error) {
	if f.failure != err.Error() {
		f.failure = err.Error()
		f.groups.options.Server.Logger.Error("snapshot not taken: the last good one stays", "group", f.group, "error", err)
	}
}
