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
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

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

func TestProxies(t *testing.T) {
	r := newRig(t, nil, xds.Options{})
	r.set(t, xds.AllGroup, edsCluster("a"), loadAssignment("a"))
	stream := r.sotw(testContext(t), t)
	send(t, stream, &discovery.DiscoveryRequest{Node: node("envoy-1", ""), TypeUrl: resourcev3.ClusterType})
	first := receive(t, stream)
	types := func() []xds.TypeState {
		proxies := r.server.Proxies()
		if len(proxies) != 1 {
			return nil
		}
		p := proxies[0]
		if p.NodeID != "envoy-1" || p.Group != xds.AllGroup || p.Transport != xds.SotW || p.Address == "" {
			t.Fatalf("proxy = %+v", p)
		}
		return p.Types
	}
	want := []xds.TypeState{{TypeURL: resourcev3.ClusterType, Sent: first.GetVersionInfo()}}
	if diff := cmp.Diff(want, types()); diff != "" {
		t.Errorf("after the response (-want +got):\n%s", diff)
	}

	send(t, stream, ack(first))
	want[0].Acked = first.GetVersionInfo()
	eventually(t, "the ACK", func() bool { return cmp.Equal(want, types()) })
	if !r.server.Proxies()[0].Converged() {
		t.Error("after the ACK: not converged")
	}

	r.set(t, xds.AllGroup, edsCluster("b"), loadAssignment("b"))
	second := receive(t, stream)
	rejection := ack(second)
	rejection.VersionInfo, rejection.ErrorDetail = first.GetVersionInfo(), status.New(codes.InvalidArgument, "no b").Proto()
	send(t, stream, rejection)
	want[0].Sent, want[0].NACK = second.GetVersionInfo(), "no b"
	eventually(t, "the NACK", func() bool { return cmp.Equal(want, types()) })
	if r.server.Proxies()[0].Converged() {
		t.Error("after the NACK: converged")
	}

	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the stream's end", func() bool { return len(r.server.Proxies()) == 0 })
}

func TestProxiesOfDelta(t *testing.T) {
	r := newRig(t, nil, xds.Options{})
	r.set(t, xds.AllGroup, edsCluster("a"))
	stream := r.delta(testContext(t), t)
	sendDelta(t, stream, &discovery.DeltaDiscoveryRequest{Node: node("envoy-1", ""), TypeUrl: resourcev3.ClusterType})
	got := receiveDelta(t, stream)
	sendDelta(t, stream, &discovery.DeltaDiscoveryRequest{TypeUrl: resourcev3.ClusterType, ResponseNonce: got.GetNonce()})
	eventually(t, "the ACK", func() bool {
		proxies := r.server.Proxies()
		return len(proxies) == 1 && proxies[0].Transport == xds.Delta && proxies[0].Converged()
	})
}
