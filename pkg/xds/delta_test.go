package xds_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/xdsready/xdsready/pkg/xds"
)

// answer is what a delta response says, without versions.
type answer struct{ Resources, Removed []string }

// wantDelta checks the names of a delta response.
func wantDelta(t *testing.T, what string, r *discovery.DeltaDiscoveryResponse, want answer) {
	t.Helper()
	got := answer{deltaResources(t, r), append([]string{}, r.GetRemovedResources()...)}
	want.Resources, want.Removed = append([]string{}, want.Resources...), append([]string{}, want.Removed...)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// ackDelta acknowledges a response.
func ackDelta(r *discovery.DeltaDiscoveryResponse) *discovery.DeltaDiscoveryRequest {
	return &discovery.DeltaDiscoveryRequest{TypeUrl: r.GetTypeUrl(), ResponseNonce: r.GetNonce()}
}

// subscribes opens a delta ADS stream that subscribes to names of a type.
func (r *rig) subscribes(t *testing.T, typeURL string, names ...string) *deltaPipe {
	t.Helper()
	p := r.deltaPipe(t, "")
	sendDelta(t, p, &discovery.DeltaDiscoveryRequest{Node: node("envoy", ""), TypeUrl: typeURL, ResourceNamesSubscribe: names})
	return p
}

func subscribe(typeURL string, names ...string) *discovery.DeltaDiscoveryRequest {
	return &discovery.DeltaDiscoveryRequest{TypeUrl: typeURL, ResourceNamesSubscribe: names}
}

func unsubscribe(typeURL string, names ...string) *discovery.DeltaDiscoveryRequest {
	return &discovery.DeltaDiscoveryRequest{TypeUrl: typeURL, ResourceNamesUnsubscribe: names}
}

func TestDeltaFirstRequest(t *testing.T) {
	for name, test := range map[string]struct {
		asked []string
		want  answer
	}{
		"no names are all":     {nil, answer{Resources: []string{"a", "b", "c"}}},
		"a star is all":        {[]string{"*"}, answer{Resources: []string{"a", "b", "c"}}},
		"a star with names":    {[]string{"b", "*"}, answer{Resources: []string{"a", "b", "c"}}},
		"one name":             {[]string{"b"}, answer{Resources: []string{"b"}}},
		"one that is absent":   {[]string{"b", "x"}, answer{Resources: []string{"b"}, Removed: []string{"x"}}},
		"none that exists":     {[]string{"y", "x"}, answer{Removed: []string{"x", "y"}}},
		"a star and an absent": {[]string{"*", "x"}, answer{Resources: []string{"a", "b", "c"}, Removed: []string{"x"}}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newServer(t, nil, xds.Options{})
				r.set(t, xds.AllGroup, loadAssignment("a"), loadAssignment("b"), loadAssignment("c"))
				p := r.subscribes(t, resourcev3.EndpointType, test.asked...)
				wantDelta(t, "first response", receiveDelta(t, p), test.want)
				p.silent(t, time.Hour)
			})
		})
	}
}

func TestDeltaSubscriptionChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newServer(t, nil, xds.Options{})
		r.set(t, xds.AllGroup, loadAssignment("a"), loadAssignment("b"), loadAssignment("c"))
		p := r.subscribes(t, resourcev3.EndpointType, "a")
		sendDelta(t, p, subscribe(resourcev3.EndpointType, "b")) // before the first response
		wantDelta(t, "at first", receiveDelta(t, p), answer{Resources: []string{"a"}})
		second := receiveDelta(t, p)
		wantDelta(t, "one more", second, answer{Resources: []string{"b"}})
		sendDelta(t, p, ackDelta(second))

		sendDelta(t, p, unsubscribe(resourcev3.EndpointType, "a"))
		r.set(t, xds.AllGroup, endpointsAt("a", 1), endpointsAt("b", 1), loadAssignment("c"))
		third := receiveDelta(t, p)
		wantDelta(t, "what changed, without what was given up", third, answer{Resources: []string{"b"}})
		if third.GetResources()[0].GetVersion() == second.GetResources()[0].GetVersion() {
			t.Errorf("b changed, and has version %q still", third.GetResources()[0].GetVersion())
		}

		// An ACK may carry a change, and a name that the proxy holds may be
		// subscribed to again: then it wants to be told again.
		again := ackDelta(third)
		again.ResourceNamesSubscribe, again.ResourceNamesUnsubscribe = []string{"b", "c"}, []string{"x"}
		sendDelta(t, p, again)
		wantDelta(t, "subscribed to once more", receiveDelta(t, p), answer{Resources: []string{"b", "c"}})
		p.silent(t, time.Minute)
	})
}

func TestDeltaWildcardComesAndGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newServer(t, nil, xds.Options{})
		r.set(t, xds.AllGroup, loadAssignment("a"), loadAssignment("b"))
		p := r.subscribes(t, resourcev3.EndpointType, "a")
		receiveDelta(t, p)
		sendDelta(t, p, subscribe(resourcev3.EndpointType, "*"))
		wantDelta(t, "all, without what it has", receiveDelta(t, p), answer{Resources: []string{"b"}})
		sendDelta(t, p, unsubscribe(resourcev3.EndpointType, "a"))
		r.set(t, xds.AllGroup, endpointsAt("a", 1), loadAssignment("b"))
		wantDelta(t, "a name under the star", receiveDelta(t, p), answer{Resources: []string{"a"}})
		sendDelta(t, p, subscribe(resourcev3.EndpointType, "b"))
		wantDelta(t, "named under the star", receiveDelta(t, p), answer{Resources: []string{"b"}})
		sendDelta(t, p, unsubscribe(resourcev3.EndpointType, "*"))
		r.set(t, xds.AllGroup, endpointsAt("a", 2), endpointsAt("b", 2), loadAssignment("c"))
		wantDelta(t, "without the star", receiveDelta(t, p), answer{Resources: []string{"b"}})
		p.silent(t, time.Minute)
	})
}

// A proxy that waits for endpoints or a secret is told that there are none, which
// ends its wait of 15 s; it has them as soon as they exist, and hears when they
// are gone.
func TestDeltaOnDemand(t *testing.T) {
	for typeURL, one := range map[string]func(string) proto.Message{
		resourcev3.EndpointType: func(name string) proto.Message { return loadAssignment(name) },
		resourcev3.SecretType:   func(name string) proto.Message { return secret(name) },
	} {
		t.Run(typeURL, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newServer(t, nil, xds.Options{})
				r.set(t, xds.AllGroup, one("a"))
				p := r.subscribes(t, typeURL, "a", "late")
				wantDelta(t, "now", p.nextAfter(t, 0), answer{Resources: []string{"a"}, Removed: []string{"late"}})
				r.set(t, xds.AllGroup, one("a"), one("late"))
				wantDelta(t, "when it exists", p.nextAfter(t, 0), answer{Resources: []string{"late"}})
				r.set(t, xds.AllGroup, one("a"))
				wantDelta(t, "when it is gone", p.nextAfter(t, 0), answer{Removed: []string{"late"}})
				sendDelta(t, p, subscribe(typeURL, "later"))
				wantDelta(t, "asked for in the middle", p.nextAfter(t, 0), answer{Removed: []string{"later"}})
			})
		})
	}
}

// A route table that does not exist is an empty one: after its removal a listener
// would wait for ever.
func TestDeltaAbsentRouteTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newServer(t, nil, xds.Options{})
		r.set(t, xds.AllGroup, routeTable("a"))
		p := r.subscribes(t, resourcev3.RouteType, "a", "late")
		wantDelta(t, "now", receiveDelta(t, p), answer{Resources: []string{"a", "late"}})
		sendDelta(t, p, subscribe(resourcev3.RouteType, "later"))
		wantDelta(t, "asked for in the middle", receiveDelta(t, p), answer{Resources: []string{"later"}})
		r.set(t, xds.AllGroup, routeTable("a"), routeTable("late", "example.com"))
		wantDelta(t, "when it exists", receiveDelta(t, p), answer{Resources: []string{"late"}})
		p.silent(t, time.Hour)
	})
}

// No resource has an empty name, so to ask for it asks for nothing.
func TestDeltaEmptyName(t *testing.T) {
	for _, typeURL := range []string{resourcev3.EndpointType, resourcev3.RouteType} {
		t.Run(typeURL, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newServer(t, nil, xds.Options{})
				r.set(t, xds.AllGroup, loadAssignment("a"), routeTable("a"))
				p := r.subscribes(t, typeURL, "*", "")
				wantDelta(t, "at first", receiveDelta(t, p), answer{Resources: []string{"a"}})
				sendDelta(t, p, subscribe(typeURL, ""))
				p.silent(t, time.Minute)
			})
		})
	}
}

// One endpoint changes: that load assignment is sent, and nothing else.
func TestDeltaSendsWhatChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newServer(t, nil, xds.Options{})
		r.set(t, xds.AllGroup, edsCluster("a"), loadAssignment("a"), edsCluster("b"), loadAssignment("b"))
		p := r.subscribes(t, resourcev3.ClusterType)
		wantDelta(t, "clusters", receiveDelta(t, p), answer{Resources: []string{"a", "b"}})
		sendDelta(t, p, subscribe(resourcev3.EndpointType, "a", "b"))
		wantDelta(t, "endpoints", receiveDelta(t, p), answer{Resources: []string{"a", "b"}})
		before := r.sentBytes(t)
		r.set(t, xds.AllGroup, edsCluster("a"), loadAssignment("a"), edsCluster("b"), endpointsAt("b", 1))
		changed := receiveDelta(t, p)
		wantDelta(t, "the change", changed, answer{Resources: []string{"b"}})
		p.silent(t, time.Minute)
		one := proto.Size(&discovery.DeltaDiscoveryResponse{Resources: changed.GetResources()})
		if got := r.sentBytes(t) - before; got != float64(one) {
			t.Errorf("xdsready_response_bytes_total grew by %v, the response has %d", got, one)
		}
	})
}

// sentBytes is what xdsready_response_bytes_total counts, of all types.
func (r *rig) sentBytes(t *testing.T) (sum float64) {
	t.Helper()
	for _, bytes := range counters(t, r.server, "xdsready_response_bytes_total") {
		sum += bytes
	}
	return sum
}

// A proxy cannot ask for more and more names, a request at a time.
func TestDeltaNamesAreBoundedTogether(t *testing.T) {
	r := newRig(t, nil, xds.Options{})
	r.set(t, xds.AllGroup, staticCluster("a"))
	stream := r.delta(testContext(t), t)
	for i := range 3 {
		names := make([]string, 4000)
		for j := range names {
			names[j] = fmt.Sprintf("name-%d-%d", i, j)
		}
		sendDelta(t, stream, &discovery.DeltaDiscoveryRequest{
			Node: node("1", ""), TypeUrl: resourcev3.EndpointType, ResourceNamesSubscribe: names,
		})
	}
	for {
		if _, err := stream.Recv(); err != nil {
			wantStatus(t, err, codes.ResourceExhausted, "12000 resource names")
			return
		}
	}
}
