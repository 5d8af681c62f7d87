package publish_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/xdsready/xdsready/pkg/xds/publish"
)

const (
	holdRemovals = time.Minute
	// resumeDelay is how long a resumed stream listens before it changes clusters.
	resumeDelay = 100 * time.Millisecond
)

// guarded are the options of an Envoy that may lose half of what it holds.
func guarded(delta bool) publish.Options {
	o := envoyOptions(delta)
	o.MaxRemovals, o.HoldRemovals = 50, holdRemovals
	return o
}

func staticClusters(names ...string) (messages []proto.Message) {
	for _, name := range names {
		messages = append(messages, staticCluster(name, 0))
	}
	return messages
}

// withClusters is a stream of a proxy that has loaded these clusters.
func withClusters(t *testing.T, o publish.Options, names ...string) *rig {
	t.Helper()
	r := newRig(t, o, staticClusters(names...)...)
	r.ask("CDS")
	r.responses()
	r.ack("CDS", "1")
	r.want()
	return r
}

// held checks how many removals the guard holds, and what it says of them.
func (r *rig) held(n int, waits string) {
	r.t.Helper()
	if got := r.proxy.RemovalsHeld(); got != n {
		r.t.Errorf("%d removals are held, want %d", got, n)
	}
	if got := r.proxy.Waits(); got != waits {
		r.t.Errorf("Waits() = %q, want %q", got, waits)
	}
}

func TestALargeLossIsHeld(t *testing.T) {
	both(t, func(t *testing.T, delta bool) {
		t.Helper()
		r := withClusters(t, guarded(delta), "a", "b", "c", "d")
		r.publish(staticClusters("d")...)
		r.want()
		r.held(3, "the removal of 3 clusters is held until 1970-01-01T00:01:00Z")
		if !r.proxy.Current() {
			t.Error("the proxy is not current: what is to go counts")
		}
		want := []publish.Event{{Kind: publish.RemovalsHeld, TypeURL: resourcev3.ClusterType, Names: []string{"a", "b", "c"}, Message: "3 of 4"}}
		if diff := cmp.Diff(want, r.events(publish.RemovalsHeld)); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		removed := "CDS 2: d"
		if delta {
			removed = "CDS 2: -a -b -c"
		}
		r.wantAfter(holdRemovals, removed) // the removal delay has passed meanwhile
		r.held(0, "")
	})
}

// What is added or changed goes on, and what is back has never been away.
func TestALossThatEnds(t *testing.T) {
	both(t, func(t *testing.T, delta bool) {
		t.Helper()
		r := withClusters(t, guarded(delta), "a", "b", "c", "d")
		r.publish(append(staticClusters("e"), staticCluster("d", 1))...)
		sent := "CDS 2: d e a b c"
		if delta {
			sent = "CDS 2: d e"
		}
		r.want(sent)
		r.ack("CDS", "2")
		r.now = r.now.Add(holdRemovals - 1)
		r.publish(append(staticClusters("a", "b", "c", "e"), staticCluster("d", 1))...)
		r.want()
		r.held(0, "")
		r.now = r.now.Add(time.Hour)
		r.want()
	})
}

func TestASmallLossIsNotHeld(t *testing.T) {
	for name, test := range map[string]struct{ before, after []string }{
		"half is not more than half":        {[]string{"a", "b", "c", "d", "e", "f"}, []string{"a", "b", "c"}},
		"one of one is an edit of a person": {[]string{"a"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := withClusters(t, guarded(true), test.before...)
			r.publish(staticClusters(test.after...)...)
			r.want()
			r.held(0, "")
			r.now = r.now.Add(removalDelay)
			if len(r.responses()) != 1 {
				t.Error("nothing is removed after the removal delay")
			}
		})
	}
}

func TestWithoutAGuardNothingIsHeld(t *testing.T) {
	r := withClusters(t, envoyOptions(true), "a", "b", "c", "d")
	r.publish()
	r.wantAfter(removalDelay, "CDS 2: -a -b -c -d")
}

// Losses that are small each add up while they wait for the removal delay; but
// what is lost later makes nothing stay longer that was lost before.
func TestLossesAddUpAndEachIsHeldOnce(t *testing.T) {
	r := withClusters(t, guarded(true), "a", "b", "c", "d", "e", "f")
	r.publish(staticClusters("c", "d", "e", "f")...)
	r.want()
	r.held(0, "")
	r.now = r.now.Add(removalDelay - time.Second)
	r.publish(staticClusters("e", "f")...)
	r.want()
	r.held(4, "the removal of 4 clusters is held until 1970-01-01T00:01:14Z")
	r.now = r.now.Add(holdRemovals - time.Second)
	r.publish(staticClusters("f")...)
	r.wantAfter(time.Second, "CDS 2: -a -b -c -d")
	r.held(1, "the removal of 1 cluster is held until 1970-01-01T00:02:13Z")
	r.ack("CDS", "2")
	r.wantAfter(holdRemovals-time.Second, "CDS 3: -e")
}

// What has been held, and waits for the removal delay, makes no later loss large.
func TestWhatHasBeenHeldDoesNotCount(t *testing.T) {
	o := guarded(true)
	o.HoldRemovals = time.Second
	r := withClusters(t, o, "a", "b", "c", "d", "e")
	r.publish(staticClusters("d", "e")...)
	r.want()
	r.now = r.now.Add(o.HoldRemovals)
	r.want()
	r.publish(staticClusters("e")...)
	r.want()
	r.held(0, "")
}

// A delta proxy comes to a replica that knows only a part, and nothing of the
// versions that it holds.
func TestAProxyMeetsAReplicaThatKnowsAPart(t *testing.T) {
	initial := map[string]string{}
	for _, name := range []string{"a", "b", "c", "d"} {
		initial[name] = resource(t, staticCluster(name, 1)).Version().String()
	}
	r := newRig(t, guarded(true), staticClusters("d")...)
	r.send(publish.Request{TypeURL: resourcev3.ClusterType, Initial: initial})
	r.ask("LDS")
	r.want("LDS 1:")
	r.ack("LDS", "1")
	r.wantAfter(resumeDelay, "CDS 2: d")
	r.ack("CDS", "2")
	r.held(3, "the removal of 3 clusters is held until 1970-01-01T00:01:00Z")
	r.wantAfter(holdRemovals-resumeDelay, "CDS 3: -a -b -c")
}

// withEndpoints is a config of EDS clusters, of which some have no endpoints.
func withEndpoints(revision int, clusters []string, endpoints ...string) (messages []proto.Message) {
	for _, name := range clusters {
		messages = append(messages, edsCluster(name, name, revision))
	}
	for _, name := range endpoints {
		messages = append(messages, assignment(name, 0))
	}
	return messages
}

// Endpoints that vanish are a loss too. They are repeated for a cluster that
// changes meanwhile, which waits for them.
func TestEndpointsThatVanishAreHeld(t *testing.T) {
	both(t, func(t *testing.T, delta bool) {
		t.Helper()
		all := []string{"a", "b", "c"}
		r := newRig(t, guarded(delta), withEndpoints(0, all, all...)...)
		r.ask("CDS")
		r.want("CDS 1: a b c")
		r.ack("CDS", "1")
		r.ask("EDS", all...)
		r.want("EDS 2: a b c")
		r.ack("EDS", "2", all...)
		r.publish(withEndpoints(0, all)...)
		r.want()
		r.held(3, "the removal of 3 load assignments is held until 1970-01-01T00:01:00Z")
		if !r.proxy.Current() {
			t.Error("the proxy is not current: what is to become empty counts")
		}
		r.publish(withEndpoints(1, all)...)
		r.want("CDS 3: a b c", "EDS 4: a b c")
		r.ack("CDS", "3")
		r.ack("EDS", "4", all...)
		if is := "+" + resource(t, assignment("a", 0)).Version().String(); !delta && !strings.Contains(r.proxy.Types()[1].Version, is) {
			t.Errorf("the version %q does not name what is held: %q", r.proxy.Types()[1].Version, is)
		}
		r.wantAfter(holdRemovals, "EDS 5: a b c")
	})
}

// A proxy that asks for a few names loses them with many others of its group.
func TestAGroupThatShrinksIsHeldForAllItsProxies(t *testing.T) {
	r := newRig(t, guarded(true), withEndpoints(0, nil, "a", "b", "c", "d", "e")...)
	r.ask("EDS", "a")
	r.want("EDS 1: a")
	r.ack("EDS", "1")
	r.publish(withEndpoints(0, nil, "e")...)
	r.want()
	r.held(1, "the removal of 1 load assignment is held until 1970-01-01T00:01:00Z")
	r.wantAfter(holdRemovals, "EDS 2: -a")
}

// What the proxy refuses is not held, nor what it gives up or asks for again.
func TestOnlyWhatTheProxyHoldsIsHeld(t *testing.T) {
	all := []string{"a", "b", "c"}
	r := newRig(t, guarded(true), withEndpoints(0, nil, all...)...)
	r.ask("EDS", all...)
	r.want("EDS 1: a b c")
	r.publish(withEndpoints(0, nil)...)
	r.want()
	r.nack("EDS", "1", "a: malformed IP address")
	r.want()
	r.held(2, "the removal of 2 load assignments is held until 1970-01-01T00:01:00Z")
	r.ask("EDS", "b")
	r.want("EDS 2: -b")
	r.held(1, "the removal of 1 load assignment is held until 1970-01-01T00:01:00Z")
	r.send(publish.Request{TypeURL: resourcev3.EndpointType, Unsubscribe: []string{"c"}})
	r.held(0, "")
}

// Of what is not known nothing can be repeated, so a cluster that changes gets
// what the target has.
func TestUnknownEndpointsEndForAClusterThatChanges(t *testing.T) {
	all := []string{"a", "b", "c"}
	r := newRig(t, guarded(true), withEndpoints(0, all)...)
	clusters, endpoints := map[string]string{}, map[string]string{}
	for _, name := range all {
		clusters[name] = resource(t, edsCluster(name, name, 1)).Version().String()
		endpoints[name] = resource(t, assignment(name, 0)).Version().String()
	}
	r.send(publish.Request{TypeURL: resourcev3.ClusterType, Initial: clusters})
	r.send(publish.Request{TypeURL: resourcev3.EndpointType, Names: publish.NewNames(all), Subscribe: all, Initial: endpoints})
	r.want()
	r.held(3, "the removal of 3 load assignments is held until 1970-01-01T00:01:00Z")
	r.wantAfter(resumeDelay, "CDS 1: a b c", "EDS 2: a b c")
	r.held(0, "")
}

// Nothing goes that a listener may name that is held and of which nothing is known.
func TestWhatIsHeldKeepsWhatItMayNeed(t *testing.T) {
	r := newRig(t, guarded(true), secret("other", 0))
	unknown := resource(t, staticCluster("x", 0)).Version().String()
	names := []string{"key", "other"}
	r.send(publish.Request{TypeURL: resourcev3.SecretType, Names: publish.NewNames(names), Subscribe: names, Initial: map[string]string{
		"key": unknown, "other": resource(t, secret("other", 0)).Version().String(),
	}})
	r.want()
	r.send(publish.Request{TypeURL: resourcev3.ListenerType, Initial: map[string]string{"a": unknown, "b": unknown, "c": unknown}})
	r.wantAfter(resumeDelay, "EDS 1: (greeting)")
	r.held(3, "the removal of 3 listeners is held until 1970-01-01T00:01:00Z")
	r.wantAfter(holdRemovals-resumeDelay, "LDS 2: -a -b -c")
	r.ack("LDS", "2")
	r.want("SDS 3: -key")
}

// withTables is a stream of a proxy that has loaded three listeners and their tables.
func withTables(t *testing.T) (r *rig, cluster proto.Message, listeners []proto.Message) {
	t.Helper()
	cluster = staticCluster("a", 0)
	listeners = []proto.Message{rdsListener(t, "l0", "r0"), rdsListener(t, "l1", "r1"), rdsListener(t, "l2", "r2")}
	tables := []proto.Message{table("r0", "/", "a"), table("r1", "/", "a"), table("r2", "/", "a")}
	r = newRig(t, guarded(true), append(append(tables, listeners...), cluster)...)
	r.ask("CDS")
	r.want("CDS 1: a")
	r.ack("CDS", "1")
	r.ask("LDS")
	r.want("LDS 2: l0 l1 l2")
	r.ack("LDS", "2")
	r.ask("RDS", "r0", "r1", "r2")
	r.want("RDS 3: r0 r1 r2")
	r.ack("RDS", "3")
	return r, cluster, listeners
}

// A new listener takes up a route table as it is held.
func TestAListenerDoesNotWaitForATableThatIsHeld(t *testing.T) {
	r, cluster, listeners := withTables(t)
	r.publish(append(listeners, cluster, rdsListener(t, "l3", "r0"))...)
	r.want("LDS 4: l3")
	r.held(3, "the removal of 3 route tables is held until 1970-01-01T00:01:00Z")
	r.ack("LDS", "4")
	r.wantAfter(holdRemovals, "RDS 5: r0 r1 r2")
}

// A table that a listener asks for is never removed: the listener is.
func TestTablesOfListenersThatAreLostDoNotCount(t *testing.T) {
	r, cluster, _ := withTables(t)
	r.publish(cluster)
	r.want()
	r.held(3, "the removal of 3 listeners is held until 1970-01-01T00:01:00Z")
	r.wantAfter(holdRemovals, "LDS 4: -l0 -l1 -l2")
}

func listenerAt(t *testing.T, name string, port uint32) *listenerv3.Listener {
	t.Helper()
	l := tcpListener(t, name, "a")
	l.Address = &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: "127.0.0.1", PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: port},
	}}}
	return l
}

// Listeners that are renamed make room for their successors at once.
func TestListenersThatAreReplacedAreNotHeld(t *testing.T) {
	config := func(prefix string) []proto.Message {
		messages := []proto.Message{staticCluster("a", 0)}
		for port := range uint32(3) {
			messages = append(messages, listenerAt(t, fmt.Sprintf("%s%d", prefix, port), 80+port))
		}
		return messages
	}
	r := newRig(t, guarded(true), config("old")...)
	r.ask("CDS")
	r.want("CDS 1: a")
	r.ack("CDS", "1")
	r.ask("LDS")
	r.want("LDS 2: old0 old1 old2")
	r.ack("LDS", "2")
	r.publish(config("new")...)
	r.want("LDS 3: new0 new1 new2 -old0 -old1 -old2")
	r.ack("LDS", "3")
	r.publish(staticCluster("a", 0))
	r.want()
	r.held(3, "the removal of 3 listeners is held until 1970-01-01T00:01:00Z")
}
