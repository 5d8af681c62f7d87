package controlplane

import (
	"context"
	"maps"
	"slices"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/source"
	"github.com/xdsready/xdsready/cmd/xdsready/internal/source/dir"
	"github.com/xdsready/xdsready/pkg/ready"
	"github.com/xdsready/xdsready/pkg/xds/admission"
)

// configSource is where the config comes from.
type configSource interface {
	// register registers what must be synced before the first Take.
	register(registry *ready.Registry)
	// names are those under which its faults and staleness are shown.
	names() []string
	// Run follows the source until ctx ends.
	Run(ctx context.Context) error
	// Changed receives when Take may have something to give.
	Changed() <-chan struct{}
	// Take returns what has changed since the call before; the first time, all.
	Take(ctx context.Context) source.Update
	// Watermarks returns how far its inputs are; none if that cannot be compared
	// between replicas.
	Watermarks() []source.Watermark
	// Settled reports whether what derives from the inputs has followed them.
	Settled() bool
	// group and groupOf return a proxy's node group: the one from what is
	// checked before it is served, the other from what is served.
	group(node admission.Node) string
	groupOf(node *corev3.Node) string
}

// directorySource is a directory of Envoy resources as a source.
type directorySource struct {
	*dir.Source
	grouping dir.Grouping

	// Used by Take alone.
	config dir.Config // taken last
}

func newDirectory(o Options, path string, grouping dir.Grouping) (*directorySource, error) {
	s, err := dir.New(path, dir.Options{Grouping: grouping, Logger: o.Logger})
	return &directorySource{Source: s, grouping: grouping}, err
}

func (d *directorySource) register(registry *ready.Registry) {
	registry.Tier("informers").Chan("directory", d.Listed())
	registry.Tier("krt").Syncer("config", d.Source)
}

func (d *directorySource) names() []string { return []string{sourceDirectory} }

// Take gives all groups each time: a directory is read as one.
func (d *directorySource) Take(context.Context) source.Update {
	select {
	case <-d.Changed(): // what comes next is newer than this
	default:
	}
	latest := d.Latest()
	if latest.Errors != nil {
		return source.Update{Err: latest.Errors}
	}
	var removed []string
	for _, group := range slices.Sorted(maps.Keys(d.config.Groups)) {
		if _, still := latest.Config.Groups[group]; !still {
			removed = append(removed, group)
		}
	}
	d.config = latest.Config
	update := source.Update{Groups: map[string]source.Group{}, Removed: removed}
	for group, resources := range latest.Config.Groups {
		update.Groups[group] = source.Whole(resources)
	}
	return update
}

// Watermarks returns none: nothing says which of two states of a directory is newer.
func (d *directorySource) Watermarks() []source.Watermark { return nil }

// Settled is true: a directory is read as one.
func (d *directorySource) Settled() bool { return true }

func (d *directorySource) group(n admission.Node) string { return d.of(n.ID, n.Cluster) }

func (d *directorySource) groupOf(n *corev3.Node) string { return d.of(n.GetId(), n.GetCluster()) }

func (d *directorySource) of(id, cluster string) string {
	switch d.grouping {
	case dir.ByCluster:
		return cluster
	case dir.ByID:
		return id
	}
	return string(dir.All)
}
