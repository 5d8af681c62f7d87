package xds

import (
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/xdsready/xdsready/pkg/cache"
)

// unknownGroups holds the streams of node groups that have no snapshot. An
// empty answer would make Envoy drop what it serves; silence keeps it.
type unknownGroups struct {
	store   *cache.Store
	max     int
	timeout time.Duration
	stopped <-chan struct{} // closed when the server stops
	held    atomic.Int64
}

// await returns nil when the group has a snapshot, and UNAVAILABLE when there is
// none in time or too many streams wait already. It returns early when the stream
// ends or is asked to leave.
func (u *unknownGroups) await(s *stream, group string) error {
	changed := u.store.Changed()
	if _, ok := u.store.Get(group); ok {
		return nil
	}
	if held := u.held.Add(1); held > int64(u.max) {
		u.held.Add(-1)
		return status.Errorf(codes.Unavailable, "xdsready: node group %q is not known, and %d streams of unknown groups wait already", group, u.max)
	}
	defer u.held.Add(-1)
	timeout := time.NewTimer(u.timeout)
	defer timeout.Stop()
	for {
		select {
		case <-changed:
		case <-timeout.C:
			return status.Errorf(codes.Unavailable, "xdsready: node group %q is not known: no snapshot in %v", group, u.timeout)
		case <-u.stopped:
			return errStopped
		case <-s.leave:
			s.prepare()
			return s.left()
		case <-s.grpc.Context().Done():
			return status.Error(codes.Canceled, "the proxy has hung up")
		}
		changed = u.store.Changed()
		if _, ok := u.store.Get(group); ok {
			return nil
		}
	}
}
