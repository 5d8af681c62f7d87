package peers

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/peers/peersv1"
	"github.com/xdsready/xdsready/pkg/cache"
	"github.com/xdsready/xdsready/pkg/xds"
)

// asked is a question for clusters "a" and "b".
var asked = xds.Generation{Group: "edge", TypeURL: resourcev3.ClusterType, Version: cache.Version{1}, Names: []string{"a", "b"}}

// knows makes a replica answer the question, and counts how often it is asked.
func knows(t *testing.T, count *atomic.Int32, resources ...cache.Resource) func(*Options) {
	t.Helper()
	return func(o *Options) {
		o.Recall = func(g xds.Generation) ([]cache.Resource, bool) {
			count.Add(1)
			if g.Group != asked.Group || g.TypeURL != asked.TypeURL || g.Version != asked.Version || !slices.Equal(g.Names, asked.Names) {
				t.Errorf("asked for %+v, want %+v", g, asked)
			}
			return resources, len(resources) > 0
		}
	}
}

// looking returns Peers that have looked at their peers once.
func looking(t *testing.T, list ...string) *Peers {
	t.Helper()
	one := newReplica()
	p := one.make(t, one.options("asker", list...))
	p.lookRound(t.Context())
	return p
}

func TestRecall(t *testing.T) {
	clusters := snapshot(t, 5, "a", "b").Resources(resourcev3.ClusterType)
	clusters[1] = clusters[1].WithTTL(time.Minute)
	var ignorant, knowing atomic.Int32
	p := looking(t, nowhere,
		newReplica().serve(t, "ignorant", knows(t, &ignorant)), newReplica().serve(t, "knowing", knows(t, &knowing, clusters...)))
	got, err := p.Recall(t.Context(), asked)
	if err != nil || len(got) != 2 || !got[0].Equal(clusters[0]) || !got[1].Equal(clusters[1]) {
		t.Errorf("Recall = %v, %v; want %v", got, err, clusters)
	}
	if knowing.Load() != 1 {
		t.Errorf("the peer that knows was asked %d times, want once", knowing.Load())
	}
}

func TestRecallOfWhatNoPeerKnows(t *testing.T) {
	var count atomic.Int32
	p := looking(t, newReplica().serve(t, "ignorant", knows(t, &count)), newReplica().serve(t, "strict", func(o *Options) {
		o.Authorize = func(context.Context) error { return errors.New("no certificate") }
	}))
	_, err := p.Recall(t.Context(), asked)
	for _, why := range []string{"no peer has told it", "the version is not known here", "not a peer: no certificate"} {
		if err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("Recall: %v, want %q in it", err, why)
		}
	}
	if _, err := looking(t, nowhere).Recall(t.Context(), asked); err == nil {
		t.Error("Recall found something where there is no peer")
	}
}

// A peer that does not answer delays nobody whom another one answers, and nobody
// longer than he wants to wait.
func TestRecallFromAPeerThatHangs(t *testing.T) {
	hangs := make(chan struct{})
	hang := func(o *Options) {
		o.Recall = func(xds.Generation) ([]cache.Resource, bool) { <-hangs; return nil, false }
	}
	hanging := newReplica().serve(t, "hanging", hang)
	t.Cleanup(func() { close(hangs) }) // before the server stops, which waits for its handlers
	var count atomic.Int32
	knowing := newReplica().serve(t, "knowing", knows(t, &count, snapshot(t, 5, "a").Resources(resourcev3.ClusterType)...))
	if _, err := looking(t, hanging, knowing).Recall(t.Context(), asked); err != nil {
		t.Errorf("Recall: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if resources, err := looking(t, hanging).Recall(ctx, asked); err == nil {
		t.Errorf("Recall = %v of a peer that hangs", resources)
	}
}

// Many streams ask for the same at a time: it is asked once.
func TestRecallOfTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var count atomic.Int32
		answer := make(chan struct{})
		hold := func(context.Context, string, any, any, *grpc.ClientConn, grpc.UnaryInvoker, ...grpc.CallOption) error {
			count.Add(1)
			<-answer
			return nil
		}
		one := newReplica()
		o := one.options("asker")
		peer, err := dial(nowhere, append(o.Dial, grpc.WithUnaryInterceptor(hold))...)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = peer.conn.Close() }()
		p := one.make(t, o)
		p.asked = append(p.asked, peer)
		var streams sync.WaitGroup
		for range 10 {
			streams.Go(func() {
				if _, err := p.Recall(t.Context(), asked); err != nil {
					t.Errorf("Recall: %v", err)
				}
			})
		}
		synctest.Wait() // all have asked
		if count.Load() != 1 {
			t.Errorf("the peer was asked %d times, want once", count.Load())
		}
		close(answer)
		streams.Wait()
	})
}

// Whoever asks first may go: another asks for the rest.
func TestRecallGoesOn(t *testing.T) {
	arrived, answer := make(chan struct{}, 20), make(chan struct{})
	clusters := snapshot(t, 5, "a").Resources(resourcev3.ClusterType)
	p := looking(t, newReplica().serve(t, "slow", func(o *Options) {
		o.Recall = func(xds.Generation) ([]cache.Resource, bool) {
			arrived <- struct{}{}
			<-answer
			return clusters, true
		}
	}))
	first, leave := context.WithCancel(t.Context())
	results := make(chan error, 10)
	go func() { _, err := p.Recall(first, asked); results <- err }()
	<-arrived
	for range 9 {
		go func() { _, err := p.Recall(t.Context(), asked); results <- err }()
	}
	leave()
	if err := <-results; !errors.Is(err, context.Canceled) {
		t.Errorf("the first one's Recall: %v, want %v", err, context.Canceled)
	}
	<-arrived // on behalf of one of the others
	close(answer)
	for range 9 {
		if err := <-results; err != nil {
			t.Errorf("Recall: %v", err)
		}
	}
}

func TestRecallOfAVersionThatMakesNoSense(t *testing.T) {
	o := newReplica().options("one")
	_, err := (&server{options: &o}).Recall(t.Context(), &peersv1.RecallRequest{Group: "edge", TypeUrl: asked.TypeURL, Version: make([]byte, 17)})
	if status.Code(err) != codes.InvalidArgument {
		t.Errorf("Recall with 17 bytes: %v", err)
	}
}
