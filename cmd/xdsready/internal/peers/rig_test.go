package peers

import (
	"bytes"
	"context"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/source"
	"github.com/xdsready/xdsready/pkg/cache"
	"github.com/xdsready/xdsready/pkg/ready"
)

// limit is how long anything may take before a test gives up.
const limit = 20 * time.Second

// replica is all that a Peers needs to know of its replica, and can be changed.
type replica struct {
	mu          sync.Mutex // guards all below
	phase       ready.Phase
	marks       []source.Watermark
	unsettled   bool
	groups      map[string]*cache.Snapshot
	connections int
	asked       int // to leave
	waiting     string
	log         bytes.Buffer
}

func newReplica() *replica {
	return &replica{phase: ready.Ready, groups: map[string]*cache.Snapshot{}}
}

// set changes the replica.
func (r *replica) set(change func(*replica)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(r)
}

// Write implements io.Writer for the log.
func (r *replica) Write(line []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.Write(line)
}

// logged returns how many lines of the log have a text.
func (r *replica) logged(text string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Count(r.log.String(), text)
}

func (r *replica) waitsFor() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.waiting
}

// Watermarks implements Inputs.
func (r *replica) Watermarks() []source.Watermark {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.marks)
}

// Settled implements Inputs.
func (r *replica) Settled() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.unsettled
}

// Groups implements Content.
func (r *replica) Groups() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Keys(r.groups))
}

// Snapshot implements Content.
func (r *replica) Snapshot(group string) (*cache.Snapshot, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, ok := r.groups[group]
	return s, ok
}

// options are those of a Peers of the replica, without a wait between rounds to
// speak of.
func (r *replica) options(name string, list ...string) Options {
	opened := make(chan struct{})
	close(opened)
	return Options{
		List: list, Name: name, Build: "v1", Inputs: r, Content: r, Opened: opened,
		Phase:       func() ready.Phase { r.mu.Lock(); defer r.mu.Unlock(); return r.phase },
		Connections: func() int { r.mu.Lock(); defer r.mu.Unlock(); return r.connections },
		Shed:        func(n int) int { r.set(func(r *replica) { r.asked += n; r.connections -= n }); return n },
		Waiting:     func(text string) { r.set(func(r *replica) { r.waiting = text }) },
		Deadline:    limit, Interval: 20 * time.Millisecond,
		Dial:   []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())},
		Logger: slog.New(slog.NewTextHandler(r, nil)),
	}
}

// make makes a Peers, whose connections are closed when the test ends.
func (r *replica) make(t *testing.T, o Options) *Peers {
	t.Helper()
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	return p
}

// serve serves a replica until the test ends, and returns its address.
func (r *replica) serve(t *testing.T, name string, change ...func(*Options)) string {
	t.Helper()
	o := r.options(name)
	for _, c := range change {
		c(&o)
	}
	listener := listen(t)
	r.make(t, o).serveOn(t, listener)
	return listener.Addr().String()
}

func (p *Peers) serveOn(t *testing.T, listener net.Listener, options ...grpc.ServerOption) {
	t.Helper()
	server := grpc.NewServer(options...)
	p.Register(server)
	serveGRPC(t, server, listener)
}

func serveGRPC(t *testing.T, server *grpc.Server, listener net.Listener) {
	t.Helper()
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener) // until Stop
	}()
	t.Cleanup(func() {
		server.Stop()
		<-served
	})
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener
}

// nowhere is an address at which nothing listens: the system gives no such port
// to who asks for any.
const nowhere = "127.0.0.1:1"

// background runs f until the test ends.
func background(t *testing.T, f func(ctx context.Context) error) (done <-chan error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		ended <- f(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-finished
	})
	return ended
}

// eventually polls until a condition holds: what happens crosses real connections.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(limit)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: not within %v", what, limit)
		}
	}
}

// snapshot has a cluster for each name, with a timeout of so many seconds.
func snapshot(t *testing.T, seconds int64, names ...string) *cache.Snapshot {
	t.Helper()
	var resources []cache.Resource
	for _, name := range names {
		resource, err := cache.NewResource(&clusterv3.Cluster{Name: name, ConnectTimeout: &durationpb.Duration{Seconds: seconds}})
		if err != nil {
			t.Fatal(err)
		}
		resources = append(resources, resource)
	}
	s, err := cache.Build(resources, cache.Options{AfterInputs: true})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
