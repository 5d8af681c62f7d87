// Package source says what a source of config gives.
package source

import (
	"github.com/xdsready/xdsready/pkg/cache"
)

// Update is what has changed in a source since the update before; the first one
// is whole.
type Update struct {
	// Groups are the node groups whose resources may have changed, each with all
	// of its resources.
	Groups map[string][]cache.Resource
	// Removed are the node groups that are gone.
	Removed []string
	// Faults say, by node group, why a group keeps what it had. A group that is
	// in Groups has none any more.
	Faults map[string]error
	// Err says why nothing could be taken: everything keeps what it had.
	Err error
}
