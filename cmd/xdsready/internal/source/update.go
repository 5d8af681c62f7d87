// Package source says what a source of config gives.
package source

import (
	"github.com/xdsready/xdsready/pkg/cache"
)

// Update is what has changed in a source since the update before; the first one
// is whole.
type Update struct {
	// Groups are the node groups that may have changed.
	Groups map[string]Group
	// Removed are the node groups that are gone.
	Removed []string
	// Faults say, by node group, why a group keeps what it had. A group that is
	// in Groups has none any more.
	Faults map[string]error
	// Err says why nothing could be taken: everything keeps what it had.
	Err error
}

// Group is what a node group has come to.
type Group struct {
	// Changed, if it is not nil, has all resources that differ from those in the
	// update before. None is new, and none is gone.
	Changed []cache.Resource
	// Resources returns all resources. It is called before the next update is
	// taken, or not at all.
	Resources func() ([]cache.Resource, error)
}

// Whole is a group of which anything may have changed.
func Whole(resources []cache.Resource) Group {
	return Group{Resources: func() ([]cache.Resource, error) { return resources, nil }}
}
