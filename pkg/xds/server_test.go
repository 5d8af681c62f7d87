package xds_test

import (
	"context"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	clusterservice "github.com/envoyproxy/go-control-plane/envoy/service/cluster/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/grpc/codes"

	"github.com/xdsready/xdsready/pkg/cache"
	"github.com/xdsready/xdsready/pkg/xds"
)

func byCluster(n *corev3.Node) string { return n.GetCluster() }

func TestNewNamesTheBadOption(t *testing.T) {
	for _, test := range []struct {
		name  string
		store *cache.Store
		o     xds.Options
		want  string
	}{
		{"no store", nil, xds.Options{}, "store is nil"},
		{"negative timeout", &cache.Store{}, xds.Options{UnknownTimeout: -time.Second}, "UnknownTimeout is -1s"},
		{"negative bound", &cache.Store{}, xds.Options{MaxUnknown: -1}, "MaxUnknown is -1"},
		{"negative delay", &cache.Store{}, xds.Options{RemovalDelay: -time.Second}, "RemovalDelay is -1s"},
		{"negative pace", &cache.Store{}, xds.Options{MaxInitialSyncs: -1}, "MaxInitialSyncs is -1"},
		{"more than all", &cache.Store{}, xds.Options{MaxRemovals: 101}, "MaxRemovals is 101: it must be a percentage"},
		{"negative loss", &cache.Store{}, xds.Options{MaxRemovals: -1}, "MaxRemovals is -1"},
		{"negative hold", &cache.Store{}, xds.Options{HoldRemovals: -time.Second}, "HoldRemovals is -1s"},
		{"negative drain", &cache.Store{}, xds.Options{ListenerDrain: -time.Second}, "ListenerDrain is -1s"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := xds.New(nil, test.store, test.o); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("New: %v, want %q in it", err, test.want)
			}
		})
	}
}

func TestServesItsGroupsSnapshot(t *testing.T) {
	r := newRig(t, nil, xds.Options{Group: byCluster})
	r.set(t, "edge", edsCluster("a"))
	r.set(t, "core", edsCluster("b"))

	t.Run("SotW", func(t *testing.T) {
		stream := r.sotw(testContext(t), t)
		send(t, stream, &discovery.DiscoveryRequest{Node: node("1", "edge"), TypeUrl: resourcev3.ClusterType})
		got := receive(t, stream)
		if len(got.GetResources()) != 1 || got.GetTypeUrl() != resourcev3.ClusterType {
			t.Fatalf("got %v, want the one cluster of the group", got)
		}
		send(t, stream, &discovery.DiscoveryRequest{TypeUrl: resourcev3.EndpointType, ResourceNames: []string{"a"}})
		if got := receive(t, stream); len(got.GetResources()) != 1 {
			t.Errorf("got %v, want the placeholder of the absent load assignment", got)
		}
	})
	t.Run("delta", func(t *testing.T) {
		stream := r.delta(testContext(t), t)
		sendDelta(t, stream, &discovery.DeltaDiscoveryRequest{Node: node("2", "core"), TypeUrl: resourcev3.ClusterType})
		got := receiveDelta(t, stream)
		if len(got.GetResources()) != 1 || got.GetResources()[0].GetName() != "b" {
			t.Errorf("got %v, want cluster b", got)
		}
	})
	t.Run("on a service of one type", func(t *testing.T) {
		stream, err := clusterservice.NewClusterDiscoveryServiceClient(r.conn).StreamClusters(testContext(t))
		if err != nil {
			t.Fatal(err)
		}
		send(t, stream, &discovery.DiscoveryRequest{Node: node("3", "edge")})
		if got := receive(t, stream); len(got.GetResources()) != 1 {
			t.Errorf("got %v, want the one cluster of the group", got)
		}
	})
}

// A stream of a group without a snapshot is held, not emptied, and served as
// soon as the group has one.
func TestUnknownGroupIsHeld(t *testing.T) {
	r := newRig(t, nil, xds.Options{Group: byCluster})
	r.set(t, "core", edsCluster("b"))
	sotw, delta := r.sotw(testContext(t), t), r.delta(testContext(t), t)
	send(t, sotw, &discovery.DiscoveryRequest{Node: node("1", "edge"), TypeUrl: resourcev3.ClusterType})
	sendDelta(t, delta, &discovery.DeltaDiscoveryRequest{Node: node("2", "edge"), TypeUrl: resourcev3.ClusterType})
	eventually(t, "holding both", func() bool { return gauge(t, r.server, "xdsready_unknown_group_streams") == 2 })

	r.set(t, "other", edsCluster("c")) // another group's change lets nobody in
	r.set(t, "edge", edsCluster("a"))
	if got := receive(t, sotw); len(got.GetResources()) != 1 {
		t.Errorf("SotW: got %v, want cluster a as the first response", got)
	}
	if got := receiveDelta(t, delta); len(got.GetResources()) != 1 || got.GetResources()[0].GetName() != "a" {
		t.Errorf("delta: got %v, want cluster a as the first response", got)
	}
	if got := gauge(t, r.server, "xdsready_unknown_group_streams"); got != 0 {
		t.Errorf("unknown_group_streams = %v after the release, want 0", got)
	}
}

func TestUnknownGroupIsHeldWithinBounds(t *testing.T) {
	t.Run("in time", func(t *testing.T) {
		r := newRig(t, nil, xds.Options{Group: byCluster, UnknownTimeout: time.Millisecond})
		stream := r.sotw(testContext(t), t)
		send(t, stream, &discovery.DiscoveryRequest{Node: node("1", "edge"), TypeUrl: resourcev3.ClusterType})
		_, err := stream.Recv()
		wantStatus(t, err, codes.Unavailable, `node group "edge" is not known`)
	})
	t.Run("in number", func(t *testing.T) {
		r := newRig(t, nil, xds.Options{Group: byCluster, MaxUnknown: 1})
		ctx, hangUp := context.WithCancel(testContext(t))
		first, second := r.delta(ctx, t), r.delta(testContext(t), t)
		sendDelta(t, first, &discovery.DeltaDiscoveryRequest{Node: node("1", "edge"), TypeUrl: resourcev3.ClusterType})
		eventually(t, "holding the first", func() bool { return gauge(t, r.server, "xdsready_unknown_group_streams") == 1 })
		sendDelta(t, second, &discovery.DeltaDiscoveryRequest{Node: node("2", "edge"), TypeUrl: resourcev3.ClusterType})
		_, err := second.Recv()
		wantStatus(t, err, codes.Unavailable, "1 streams of unknown groups wait already")

		hangUp() // frees its place at once
		eventually(t, "letting the first go", func() bool { return gauge(t, r.server, "xdsready_unknown_group_streams") == 0 })
	})
}

// A group that the store has dropped is unknown again; streams that it has keep
// what they were sent.
func TestDroppedGroup(t *testing.T) {
	r := newRig(t, nil, xds.Options{Group: byCluster})
	r.set(t, "edge", edsCluster("a"))
	stream := r.sotw(testContext(t), t)
	send(t, stream, &discovery.DiscoveryRequest{Node: node("1", "edge"), TypeUrl: resourcev3.ClusterType})
	receive(t, stream)

	r.store.Remove("edge", time.Now())
	r.store.Expire(time.Now(), 0)
	late := r.sotw(testContext(t), t)
	send(t, late, &discovery.DiscoveryRequest{Node: node("2", "edge"), TypeUrl: resourcev3.ClusterType})
	eventually(t, "holding the new stream", func() bool { return gauge(t, r.server, "xdsready_unknown_group_streams") == 1 })

	r.set(t, "edge", edsCluster("b"))
	if got := receive(t, late); len(got.GetResources()) != 1 {
		t.Errorf("new stream: got %v, want cluster b", got)
	}
}

func TestRunEndsEveryStream(t *testing.T) {
	r := newRig(t, nil, xds.Options{})
	r.set(t, xds.AllGroup, edsCluster("a"))
	stream := r.sotw(testContext(t), t)
	send(t, stream, &discovery.DiscoveryRequest{Node: node("1", ""), TypeUrl: resourcev3.ClusterType})
	receive(t, stream)
	r.stop()
	if got, err := stream.Recv(); err == nil {
		t.Errorf("Recv after Run: got %v, want the stream's end", got)
	}
}
