package gocontrolplane

import (
	"context"
	"io"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	deltav3 "github.com/envoyproxy/go-control-plane/pkg/server/delta/v3"
	"google.golang.org/grpc"
)

// retryAfter is how long a watch that go-control-plane ended rests. It ends one
// when a resource cannot be encoded; proxies would come back about as fast.
const retryAfter = time.Second

// lookEvery is how often a watch looks whether the cache still has it. A
// ClearSnapshot forgets a group's watches without a word, and a SetSnapshot after
// it would tell nobody.
const lookEvery = time.Second

// watch tells of each change of a cache. It is a client, within the process, of
// go-control-plane's delta server: the one way to watch a cache that is the same
// in all of its versions, whose CreateDeltaWatch differ. Delta tells of every
// change; SotW tells of no removal from a LinearCache.
type watch struct {
	route   route
	group   string
	node    *corev3.Node
	changed chan<- struct{} // has room for one; filled at each change
}

// run watches until ctx ends. The end of a stream counts as a change, so that
// whoever reads the cache then finds, and logs, what the stream ended for.
func (w *watch) run(ctx context.Context) {
	server := deltav3.NewServer(ctx, w.route.cache, nil)
	for {
		answered := w.converse(ctx, server)
		if _, linear := w.route.cache.(resourceReader); linear && !answered {
			return // it holds another type
		}
		notify(w.changed)
		select {
		case <-time.After(retryAfter):
		case <-ctx.Done():
			return
		}
	}
}

// converse is one stream. It reports whether the cache answered.
func (w *watch) converse(ctx context.Context, server deltav3.Server) (answered bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends Recv
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	s := &watchStream{
		ctx: ctx, changed: w.changed, look: look.C, lost: w.lost,
		requests: make(chan *discovery.DeltaDiscoveryRequest, len(w.route.types)),
	}
	for _, typeURL := range w.route.types {
		s.requests <- &discovery.DeltaDiscoveryRequest{
			Node: w.node, TypeUrl: typeURL, ResourceNamesSubscribe: []string{"*"},
		}
	}
	_ = server.DeltaStreamHandler(s, resourcev3.AnyType) // see run
	return s.answered
}

// lost reports whether the cache has fewer watches of the group than types. It is
// true too while an answer is on its way; then a new stream costs one read.
func (w *watch) lost() bool {
	snapshots, ok := w.route.cache.(cachev3.SnapshotCache)
	if !ok {
		return false
	}
	status := snapshots.GetStatusInfo(w.group)
	return status == nil || status.GetNumDeltaWatches() < len(w.route.types)
}

// notify fills a channel that has room for one. If it is full, the last change
// has yet to be looked at, and this one will be with it.
func notify(changed chan<- struct{}) {
	select {
	case changed <- struct{}{}:
	default:
	}
}

// watchStream is the server's end of the stream of a client that subscribes to
// everything, acknowledges everything, and looks at nothing.
type watchStream struct {
	grpc.ServerStream                 // nil: the server calls no more than the methods below
	ctx               context.Context //nolint:containedctx // a stream has one
	// requests has room for one of each type: a type is answered only after a
	// request.
	requests chan *discovery.DeltaDiscoveryRequest
	changed  chan<- struct{}
	answered bool // used by Send, and after the stream has ended
	look     <-chan time.Time
	lost     func() bool // asked at each look
}

// Context returns the stream's context.
func (s *watchStream) Context() context.Context { return s.ctx }

// Recv returns the next request, or io.EOF if the cache has lost the watch.
func (s *watchStream) Recv() (*discovery.DeltaDiscoveryRequest, error) {
	for {
		select {
		case r := <-s.requests:
			return r, nil
		case <-s.look:
			if s.lost() {
				return nil, io.EOF
			}
		case <-s.ctx.Done():
			return nil, s.ctx.Err()
		}
	}
}

// Send takes an answer and acknowledges it.
func (s *watchStream) Send(r *discovery.DeltaDiscoveryResponse) error {
	s.answered = true
	notify(s.changed)
	select {
	case s.requests <- &discovery.DeltaDiscoveryRequest{TypeUrl: r.GetTypeUrl(), ResponseNonce: r.GetNonce()}:
		return nil
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
}
