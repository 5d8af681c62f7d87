package gocontrolplane_test

import (
	"context"
	"fmt"
	"path"
	"sync"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	serverv3 "github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// recorder is a Callbacks that keeps a line for each call.
type recorder struct {
	mu     sync.Mutex // guards calls
	calls  []string
	closed chan struct{} // filled by the last call of a stream
}

func newRecorder() *recorder { return &recorder{closed: make(chan struct{}, 1)} }

func (r *recorder) add(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, fmt.Sprintf(format, args...))
}

func (r *recorder) end(format string, args ...any) {
	r.add(format, args...)
	r.closed <- struct{}{}
}

// story returns the calls of one stream, once it has ended.
func (r *recorder) story(t *testing.T) []string {
	t.Helper()
	select {
	case <-r.closed:
	case <-testContext(t).Done():
		t.Fatal("the last callback did not come")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.calls
}

func (r *recorder) callbacks() serverv3.CallbackFuncs {
	return serverv3.CallbackFuncs{
		StreamOpenFunc: func(_ context.Context, id int64, typeURL string) error {
			r.add("%d open %q", id, path.Ext(typeURL))
			return nil
		},
		StreamRequestFunc: func(id int64, q *discovery.DiscoveryRequest) error {
			r.add("%d request %s of %s, ACK %t", id, path.Ext(q.GetTypeUrl()), q.GetNode().GetId(), q.GetResponseNonce() != "")
			return nil
		},
		StreamResponseFunc: func(ctx context.Context, id int64, q *discovery.DiscoveryRequest, p *discovery.DiscoveryResponse) {
			r.add("%d response %s to %s: %d, context %t", id, path.Ext(p.GetTypeUrl()), q.GetNode().GetId(), len(p.GetResources()), ctx != nil)
		},
		StreamClosedFunc: func(id int64, n *corev3.Node) { r.end("%d closed %s", id, n.GetId()) },

		DeltaStreamOpenFunc: func(_ context.Context, id int64, typeURL string) error {
			r.add("%d delta open %q", id, path.Ext(typeURL))
			return nil
		},
		StreamDeltaRequestFunc: func(id int64, q *discovery.DeltaDiscoveryRequest) error {
			r.add("%d delta request %s, ACK %t", id, path.Ext(q.GetTypeUrl()), q.GetResponseNonce() != "")
			return nil
		},
		StreamDeltaResponseFunc: func(id int64, q *discovery.DeltaDiscoveryRequest, p *discovery.DeltaDiscoveryResponse) {
			r.add("%d delta response %s to %s: %d", id, path.Ext(p.GetTypeUrl()), q.GetNode().GetId(), len(p.GetResources()))
		},
		DeltaStreamClosedFunc: func(id int64, n *corev3.Node) { r.end("%d delta closed %s", id, n.GetId()) },
	}
}

// TestCallbacks has one conversation with go-control-plane's server and with
// ours: the callbacks must not tell them apart.
func TestCallbacks(t *testing.T) {
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			converse := func(newServer func(cachev3.Cache, serverv3.Callbacks) serverv3.Server) []string {
				snapshots := cachev3.NewSnapshotCache(true, byCluster{}, nil)
				setSnapshot(t, snapshots, "1", "a", "b")
				calls := newRecorder()
				p := v.connect(t, dial(t, newServer(snapshots, calls.callbacks())))
				p.subscribe(t, "p")
				until(t, p, "a", "b")
				p.hangUp(t)
				return calls.story(t)
			}
			want := converse(func(c cachev3.Cache, callbacks serverv3.Callbacks) serverv3.Server {
				return serverv3.NewServer(t.Context(), c, callbacks)
			})
			got := converse(func(c cachev3.Cache, callbacks serverv3.Callbacks) serverv3.Server {
				return ours(t, c, callbacks)
			})
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("callbacks (-go-control-plane +ours):\n%s", diff)
			}
			if len(want) != 5 { // open, request, response, ACK, closed
				t.Errorf("the conversation made the calls %q, want 5", want)
			}
		})
	}
}

// TestRefusal has a callback that refuses a stream, or a request.
func TestRefusal(t *testing.T) {
	no := status.Error(codes.PermissionDenied, "not you")
	for _, row := range []struct {
		name string
		with func(*serverv3.CallbackFuncs)
	}{
		{"stream", func(c *serverv3.CallbackFuncs) {
			c.StreamOpenFunc = func(context.Context, int64, string) error { return no }
			c.DeltaStreamOpenFunc = c.StreamOpenFunc
		}},
		{"request", func(c *serverv3.CallbackFuncs) {
			c.StreamRequestFunc = func(int64, *discovery.DiscoveryRequest) error { return no }
			c.StreamDeltaRequestFunc = func(int64, *discovery.DeltaDiscoveryRequest) error { return no }
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			for _, v := range variants {
				t.Run(v.name, func(t *testing.T) {
					calls := newRecorder()
					callbacks := calls.callbacks()
					row.with(&callbacks)
					p := v.connect(t, dial(t, ours(t, cachev3.NewSnapshotCache(true, byCluster{}, nil), callbacks)))
					p.subscribe(t, "p")
					if _, err := p.next(); status.Code(err) != codes.PermissionDenied {
						t.Errorf("the stream ended with %v, want %v", err, no)
					}
					calls.story(t)
				})
			}
		})
	}
}

// TestCallbackStores has a program that computes a snapshot when a node first
// asks: the first response has it.
func TestCallbackStores(t *testing.T) {
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			snapshots := cachev3.NewSnapshotCache(true, byCluster{}, nil)
			var once sync.Once
			store := func() { once.Do(func() { setSnapshot(t, snapshots, "1", "a") }) }
			p := v.connect(t, dial(t, ours(t, snapshots, serverv3.CallbackFuncs{
				StreamRequestFunc:      func(int64, *discovery.DiscoveryRequest) error { store(); return nil },
				StreamDeltaRequestFunc: func(int64, *discovery.DeltaDiscoveryRequest) error { store(); return nil },
			})))
			p.subscribe(t, "p")
			has, err := p.next()
			if diff := cmp.Diff([]string{"a"}, has); diff != "" || err != nil {
				t.Errorf("the first response left the proxy with (-want +got, %v):\n%s", err, diff)
			}
		})
	}
}
