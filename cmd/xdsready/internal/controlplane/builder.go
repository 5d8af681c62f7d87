package controlplane

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/source"
	"github.com/xdsready/xdsready/pkg/cache"
	"github.com/xdsready/xdsready/pkg/ready"
)

// sweepInterval is how often the builder looks for groups whose retention has
// ended, and tells /livez that it runs.
const sweepInterval = 5 * time.Second

// builder turns each update of the source into one snapshot per node group. It
// is the one place where resources meet readiness: what it stores after the
// inputs are complete is what opens the gate.
type builder struct {
	source    configSource
	registry  *ready.Registry // nil: builds from whatever is there
	store     *cache.Store
	stored    func(group string) // told of each snapshot right before it is stored
	contents  *contents
	faults    *faults
	retention time.Duration
	logger    *slog.Logger
	seconds   prometheus.Histogram // how long a build of all groups takes
}

func newBuildSeconds() prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "xdsready_snapshot_build_seconds",
		Help:    "How long it takes to build and store the snapshots of all node groups after a change.",
		Buckets: prometheus.ExponentialBuckets(0.0005, 4, 8),
	})
}

// run builds until ctx ends. It takes nothing before the inputs are complete, so
// that the first snapshot is computed after them.
func (b *builder) run(ctx context.Context) error {
	beat := b.registry.Loop("builder")
	sweep := time.NewTicker(sweepInterval)
	defer sweep.Stop()
	snapshot := b.registry.Tier("snapshot").Snapshot("snapshot")
	inputs := snapshot.Inputs()
	var changed <-chan struct{} // nil, so never received from, until the inputs are complete
	for {
		select {
		case <-inputs:
			inputs, changed = nil, b.source.Changed()
			b.take(ctx, snapshot) // even if nothing has changed, as in an empty cluster
		case <-changed:
			b.take(ctx, snapshot)
		case now := <-sweep.C:
			beat()
			for _, group := range b.store.Expire(now, b.retention) {
				b.contents.dropped(group)
				b.logger.Info("node group dropped: it is gone longer than --group-retention", "group", group)
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// take builds from what has changed. A fault changes nothing but what is shown:
// the last good snapshots keep serving, or the start stays red.
func (b *builder) take(ctx context.Context, snapshot *ready.Snapshot) {
	began, stored := time.Now(), snapshot.Begin()
	update := b.source.Take(ctx)
	if update.Err != nil {
		b.faults.set(sourceDirectory, update.Err)
		b.registry.Tier("snapshot").Fail("snapshot", update.Err)
		return
	}
	for group, err := range update.Faults {
		b.faults.set("group "+group, err)
	}
	for name, group := range update.Groups {
		b.build(ctx, name, group)
	}
	for _, group := range update.Removed {
		b.store.Remove(group, began)
		b.contents.removed(group)
		b.faults.set("group "+group, nil)
	}
	b.faults.set(sourceDirectory, nil)
	b.seconds.Observe(time.Since(began).Seconds())
	stored()
}

// build makes and stores the snapshot of one group.
func (b *builder) build(ctx context.Context, name string, group source.Group) {
	previous, _ := b.store.Get(name)
	next, err := snapshotOf(group, previous)
	b.faults.set("group "+name, err)
	if err != nil {
		return
	}
	b.stored(name) // first: what the store sets off may be sent before Set returns
	b.store.Set(name, next)
	b.contents.stored(name, next.ContentVersion(), time.Now())
	b.report(ctx, name, previous, next)
}

// snapshotOf makes the snapshot that follows previous, at the cost of what has
// changed where that is known.
func snapshotOf(group source.Group, previous *cache.Snapshot) (*cache.Snapshot, error) {
	if group.Changed != nil {
		if next, ok := previous.Replace(group.Changed...); ok {
			return next, nil
		}
	}
	resources, err := group.Resources()
	if err != nil {
		return nil, err
	}
	return cache.Build(resources, cache.Options{Previous: previous, AfterInputs: true})
}

// report logs what a new snapshot changes and what is absent from it.
func (b *builder) report(ctx context.Context, group string, previous, next *cache.Snapshot) {
	var changes []string
	level := slog.LevelDebug // endpoints come and go all the time
	for _, c := range next.Since(previous) {
		changes = append(changes, c.String())
		if c.TypeURL != resourcev3.EndpointType {
			level = slog.LevelInfo
		}
	}
	if len(changes) == 0 && previous != nil {
		return
	}
	b.logger.Log(ctx, level, "snapshot stored", "group", group,
		"version", next.ContentVersion().String(), "changes", strings.Join(changes, ", "))
	for _, w := range next.Withheld() {
		b.logger.Warn("resource withheld", "group", group, "reason", w.String())
	}
	b.reportDangling(group, previous, next)
}

// maxDangling is how many dangling references of one snapshot are logged; all
// are on the status page.
const maxDangling = 20

// reportDangling logs the references that dangle now and did not before.
func (b *builder) reportDangling(group string, previous, next *cache.Snapshot) {
	if slices.Equal(previous.Dangling(), next.Dangling()) {
		return
	}
	known := map[cache.Reference]bool{}
	for _, r := range previous.Dangling() {
		known[r] = true
	}
	news := slices.DeleteFunc(slices.Clone(next.Dangling()), func(r cache.Reference) bool { return known[r] })
	for _, r := range news[:min(len(news), maxDangling)] {
		b.logger.Warn("dangling reference", "group", group, "reference", r.String())
	}
	if more := len(news) - maxDangling; more > 0 {
		b.logger.Warn("more dangling references, see the status page", "group", group, "number", more)
	}
}
