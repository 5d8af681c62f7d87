package xds_test

import (
	"testing"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/xdsready/xdsready/pkg/xds"
)

func TestProxyState(t *testing.T) {
	of := func(states ...xds.State) xds.Proxy {
		var p xds.Proxy
		for _, s := range states {
			p.Types = append(p.Types, xds.TypeState{State: s})
		}
		return p
	}
	for _, test := range []struct {
		name string
		p    xds.Proxy
		want xds.State
	}{
		{"no type yet", of(), xds.NotSent},
		{"all acknowledged", of(xds.Synced, xds.Synced), xds.Synced},
		{"one is not sent", of(xds.Synced, xds.NotSent), xds.NotSent},
		{"one is under way", of(xds.NotSent, xds.Stale, xds.Synced), xds.Stale},
		{"one is rejected", of(xds.Stale, xds.Synced, xds.Failed), xds.Failed},
	} {
		if got := test.p.State(); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
		if got, want := test.p.Converged(), test.want == xds.Synced; got != want {
			t.Errorf("%s: converged %v, want %v", test.name, got, want)
		}
	}
	if late := of(xds.Synced); func() bool { late.Lag = 1; return late.Converged() }() {
		t.Error("converged although there is newer config")
	}
}

// ignoreTimes ignores when a type was acknowledged.
var ignoreTimes = cmpopts.IgnoreFields(xds.TypeState{}, "Updated")

func TestProxies(t *testing.T) {
	r := newRig(t, nil, xds.Options{})
	r.set(t, xds.AllGroup, edsCluster("a"), loadAssignment("a"))
	stream := r.sotw(testContext(t), t)
	send(t, stream, &discovery.DiscoveryRequest{Node: node("envoy-1", ""), TypeUrl: resourcev3.ClusterType})
	first := receive(t, stream)
	is := func(want xds.TypeState) func() bool {
		return func() bool {
			proxies := r.server.Proxies()
			return len(proxies) == 1 && cmp.Equal([]xds.TypeState{want}, proxies[0].Types, ignoreTimes)
		}
	}
	want := xds.TypeState{TypeURL: resourcev3.ClusterType, State: xds.Stale}
	eventually(t, "the state of what is sent", is(want))
	p := r.server.Proxies()[0]
	if p.NodeID != "envoy-1" || p.Group != xds.AllGroup || p.Transport != xds.SotW || p.Address == "" || p.Since.IsZero() || p.Lag == 0 {
		t.Errorf("proxy = %+v", p)
	}

	send(t, stream, ack(first))
	want.State, want.Version = xds.Synced, first.GetVersionInfo()
	eventually(t, "the ACK", is(want))
	acknowledged := r.server.Proxies()[0]
	if !acknowledged.Converged() || acknowledged.Types[0].Updated.Before(acknowledged.Since) {
		t.Errorf("after the ACK: %+v", acknowledged)
	}

	r.set(t, xds.AllGroup, edsCluster("b"), loadAssignment("b"))
	second := receive(t, stream)
	send(t, stream, nack(second, first.GetVersionInfo(), "no b"))
	want.State, want.NACK, want.Rejected = xds.Failed, "no b", []string{"b"}
	eventually(t, "the NACK", is(want))
	rejected := r.server.Proxies()[0]
	if rejected.Converged() || rejected.Lag == 0 || !rejected.Types[0].Updated.Equal(acknowledged.Types[0].Updated) {
		t.Errorf("after the NACK: %+v", rejected)
	}

	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the stream's end", func() bool { return len(r.server.Proxies()) == 0 })
}

// nack rejects a response and keeps the version before it.
func nack(r *discovery.DiscoveryResponse, kept, why string) *discovery.DiscoveryRequest {
	rejection := ack(r)
	rejection.VersionInfo, rejection.ErrorDetail = kept, status.New(codes.InvalidArgument, why).Proto()
	return rejection
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

// Envoy quotes the resource that it rejects, with inline private keys; nobody
// who may see the status may see those.
func TestProxiesShowNoSecrets(t *testing.T) {
	r := newRig(t, nil, xds.Options{})
	r.set(t, xds.AllGroup, edsCluster("a"))
	stream := r.sotw(testContext(t), t)
	send(t, stream, &discovery.DiscoveryRequest{Node: node("envoy-1", ""), TypeUrl: resourcev3.ClusterType})
	send(t, stream, nack(receive(t, stream), "",
		"Error adding/updating cluster(s) a: goo.gle/debugstr  \nprivate_key {\n  inline_string: \"key\"\n}\n: no chain"))
	eventually(t, "the NACK", func() bool { return r.server.Proxies()[0].State() == xds.Failed })
	want := "Error adding/updating cluster(s) a: (resource not shown): no chain"
	if got := r.server.Proxies()[0].Types[0].NACK; got != want {
		t.Errorf("NACK = %q, want %q", got, want)
	}
}
