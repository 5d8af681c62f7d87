package publish_test

import (
	"fmt"
	"testing"
	"time"

	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/xdsready/xdsready/pkg/cache"
	"github.com/xdsready/xdsready/pkg/xds/publish"
)

// reconnect sends what an Envoy that holds a snapshot sends first.
func (r *rig) reconnect(delta bool, held *cache.Snapshot) {
	r.t.Helper()
	for _, kind := range []string{"CDS", "EDS", "LDS", "RDS"} {
		q := publish.Request{TypeURL: types[kind], Version: held.Version(types[kind]).String()}
		var names []string
		q.Initial = map[string]string{}
		for _, resource := range held.Resources(types[kind]) {
			names = append(names, resource.Name())
			q.Initial[resource.Name()] = resource.Version().String()
		}
		if kind == "EDS" || kind == "RDS" {
			q.Names, q.Subscribe = publish.NewNames(names), names
		}
		if !delta {
			q.Initial, q.Subscribe = nil, nil
		} else {
			q.Version = ""
		}
		r.send(q)
	}
}

func TestAProxyThatHasEverythingGetsOneGreeting(t *testing.T) {
	for _, test := range []struct {
		delta bool
		want  string
	}{{false, "SDS 1: (greeting)"}, {true, "EDS 1: (greeting)"}} {
		s := snapshot(t, swapConfig(t, "old", "old")...)
		r := resumeRig(t, envoyOptions(test.delta), s)
		r.reconnect(test.delta, s)
		r.wantAfter(100*time.Millisecond, test.want)
		want := []publish.Event{{Kind: publish.Resumed, Result: publish.ResumedCurrent}}
		if diff := cmp.Diff(want, r.events(publish.Resumed)); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		r.now = r.now.Add(time.Hour)
		r.want()
	}
}

func TestAStrictClientIsGreetedWithATypeThatItAsksFor(t *testing.T) {
	s := snapshot(t, swapConfig(t, "old", "old")...)
	r := resumeRig(t, publish.Options{Aggregated: true, Strict: true}, s)
	r.send(publish.Request{
		TypeURL: resourcev3.EndpointType, Names: publish.NewNames([]string{"old"}), Version: s.Version(resourcev3.EndpointType).String(),
	})
	r.wantAfter(100*time.Millisecond, "EDS 1: (greeting)")
}

func TestASwitchGoesOnAfterAReconnect(t *testing.T) {
	both(t, func(t *testing.T, delta bool) {
		t.Helper()
		before, after := snapshot(t, swapConfig(t, "old", "old")...), snapshot(t, swapConfig(t, "new", "new")...)
		r := resumeRig(t, envoyOptions(delta), after, before)
		r.reconnect(delta, before)
		added := "CDS 1: new old"
		if delta {
			added = "CDS 1: new"
		}
		r.wantAfter(100*time.Millisecond, added)
		r.ack("CDS", "1")
		r.want("RDS 2: routes")
	})
}

// The version that was sent in the middle of a switch tells what the proxy holds.
func TestAVersionOfPartsIsUnderstoodByAnotherReplica(t *testing.T) {
	r := loaded(t, false)
	r.publish(swapConfig(t, "new", "new")...)
	response, _ := r.proxy.Next(r.now)
	want := r.past[0].Version(resourcev3.ClusterType).String() + "+" + r.past[1].Version(resourcev3.ClusterType).String()
	if response.Version != want { // of the set, and of the one cluster besides
		t.Fatalf("version %s, want %s", response.Version, want)
	}
	other := resumeRig(t, envoyOptions(false), r.past...)
	other.send(publish.Request{TypeURL: resourcev3.ClusterType, Version: response.Version})
	other.send(publish.Request{TypeURL: resourcev3.ListenerType, Version: r.past[0].Version(resourcev3.ListenerType).String()})
	if events := other.events(publish.UnknownVersion); len(events) > 0 {
		t.Fatalf("unknown: %v", events)
	}
	if n := other.proxy.RemovalsPending(); n != 1 {
		t.Errorf("RemovalsPending() = %d, want 1: the old cluster", n)
	}
}

// A replica that was started after a cluster was replaced knows the set, but not the
// old cluster that a proxy keeps for a while.
func TestAnOldClusterThatIsNotKnownDoesNotMakeTheSetUnknown(t *testing.T) {
	r := loaded(t, false)
	r.publish(swapConfig(t, "new", "new")...)
	response, _ := r.proxy.Next(r.now)
	before := r.past[0]
	other := resumeRig(t, envoyOptions(false), snapshot(t, swapConfig(t, "newest", "newest")...), before)
	other.send(publish.Request{TypeURL: resourcev3.ClusterType, Version: response.Version})
	other.send(publish.Request{TypeURL: resourcev3.ListenerType, Version: before.Version(resourcev3.ListenerType).String()})
	other.send(publish.Request{TypeURL: resourcev3.RouteType, Version: before.Version(resourcev3.RouteType).String(), Names: publish.NewNames([]string{"routes"})})
	if events := other.events(publish.UnknownVersion); len(events) > 0 {
		t.Errorf("unknown: %v", events)
	}
	other.wantAfter(100*time.Millisecond, "CDS 1: newest new") // and not the routes to the newest before
	other.ack("CDS", "1")
	other.want("RDS 2: routes")
}

// What is not known of the routes may lead to it: they go before it does.
func TestUnknownRoutesGoBeforeAnUnknownOldCluster(t *testing.T) {
	r := loaded(t, false)
	r.publish(swapConfig(t, "new", "new")...)
	response, _ := r.proxy.Next(r.now)
	old, before := r.past[1], r.past[0]
	other := resumeRig(t, envoyOptions(false), before)
	other.send(publish.Request{TypeURL: resourcev3.ClusterType, Version: response.Version})
	other.send(publish.Request{TypeURL: resourcev3.ListenerType, Version: before.Version(resourcev3.ListenerType).String()})
	other.send(publish.Request{TypeURL: resourcev3.RouteType, Version: old.Version(resourcev3.RouteType).String(), Names: publish.NewNames([]string{"routes"})})
	other.publish(append(swapConfig(t, "new", "new"), staticCluster("another", 0))...)
	other.wantAfter(100*time.Millisecond, "RDS 1: routes", "CDS 2: another new")
}

// If there is no next response, one is sent when the old cluster would have gone.
func TestAnOldClusterThatIsNotKnownGoesInTheEnd(t *testing.T) {
	r := loaded(t, false)
	r.publish(swapConfig(t, "new", "new")...)
	response, _ := r.proxy.Next(r.now)
	other := resumeRig(t, envoyOptions(false), r.past[0])
	other.send(publish.Request{TypeURL: resourcev3.ClusterType, Version: response.Version})
	other.wantAfter(100*time.Millisecond, "SDS 1: (greeting)")
	other.wantAfter(removalDelay-100*time.Millisecond, "CDS 2: new")
	other.ack("CDS", "2")
}

// A cluster that is not known may be in the place of one that is: of one that the
// proxy refuses. It goes at once, and who refuses it is heard, and offered it again.
func TestAnUnknownClusterInThePlaceOfAKnownOne(t *testing.T) {
	r := loaded(t, false)
	changed := append(swapConfig(t, "old"), edsCluster("old", "old", 1), assignment("old", 0))
	r.publish(changed...)
	r.want("CDS 5: old", "EDS 6: old")
	r.nack("CDS", "5", "Error adding/updating cluster(s) old: cannot be made")
	r.publish(append(changed, staticCluster("another", 0))...)
	response, _ := r.proxy.Next(r.now)
	other := resumeRig(t, envoyOptions(false), r.past[0]) // it knows no other revision of the cluster
	other.send(publish.Request{TypeURL: resourcev3.ClusterType, Version: response.Version})
	other.wantAfter(100*time.Millisecond, "CDS 1: another old")
	other.nack("CDS", "1", "Error adding/updating cluster(s) old: cannot be made")
	if events := other.events(publish.Rejected); len(events) != 1 {
		t.Errorf("rejected: %v", events)
	}
	other.wantAfter(time.Minute, "CDS 2: another old")
}

// What a proxy refuses, and may have another revision of that is not known, is in each
// response all the same: left out, that would go with all its traffic.
func TestWhatIsRefusedIsRepeatedWhereItMayReplaceSomethingUnknown(t *testing.T) {
	before := snapshot(t, append(swapConfig(t, "old", "old"), tcpListener(t, "l", "old"))...)
	now := func(more ...proto.Message) []proto.Message {
		return append(more, rdsListener(t, "http", "routes"), table("routes", "/", "old"),
			edsCluster("old", "old", 1), assignment("old", 0), tcpListener(t, "l", "other"), staticCluster("other", 0))
	}
	r := resumeRig(t, envoyOptions(false), snapshot(t, now()...)) // it has never seen before
	r.reconnect(false, before)
	r.wantAfter(100*time.Millisecond, "SDS 1: (greeting)")
	r.wantAfter(catchUp-100*time.Millisecond, "CDS 2: old other", "EDS 3: old")
	r.nack("CDS", "2", "Error adding/updating cluster(s) old: cannot be made")
	r.wantAfter(20*time.Second, "LDS 4: http l")
	r.nack("LDS", "4", "Error adding/updating listener(s) l: cannot bind")
	r.publish(now(staticCluster("another", 0), tcpListener(t, "more", "other"))...)
	r.want("CDS 5: another other old", "LDS 6: http more l")
}

func TestAClusterIsRefusedThatMayReplaceAnOldOneThatIsNotKnown(t *testing.T) {
	r := loaded(t, false)
	r.publish(swapConfig(t, "new", "new")...)
	response, _ := r.proxy.Next(r.now)
	other := resumeRig(t, envoyOptions(false), r.past[0])
	other.send(publish.Request{TypeURL: resourcev3.ClusterType, Version: response.Version})
	again := append(swapConfig(t, "new", "new"), staticCluster("old", 1))
	other.publish(again...)
	other.wantAfter(100*time.Millisecond, "CDS 1: new old")
	other.nack("CDS", "1", "Error adding/updating cluster(s) old: cannot be made")
	other.publish(append(again, staticCluster("another", 0))...)
	other.want("CDS 2: another new old")
}

func TestAnUnknownSotWVersionIsToldAndWaitsForTheOtherTypes(t *testing.T) {
	before, after := snapshot(t, swapConfig(t, "old", "old")...), snapshot(t, swapConfig(t, "new", "new")...)
	r := resumeRig(t, envoyOptions(false), after) // it has never seen before
	r.reconnect(false, before)
	r.wantAfter(100*time.Millisecond, "SDS 1: (greeting)")
	r.wantAfter(catchUp-100*time.Millisecond, "CDS 2: new", "EDS 3:")
	r.ack("CDS", "2")
	r.want("RDS 4: routes")
	if events := r.events(publish.UnknownVersion); len(events) != 2 { // of clusters and route tables
		t.Errorf("unknown: %v", events)
	}
}

// catchUp is how long a replica that does not know a version waits until it does.
const catchUp = 3 * time.Second

// A replica that lags does not take a proxy back to what it has itself: it waits
// until it has read what the proxy has.
func TestAReplicaThatLagsCatchesUp(t *testing.T) {
	before, after := snapshot(t, swapConfig(t, "old", "old")...), snapshot(t, swapConfig(t, "new", "new")...)
	r := resumeRig(t, envoyOptions(false), before)
	r.reconnect(false, after)
	r.wantAfter(100*time.Millisecond, "SDS 1: (greeting)")
	r.now = r.now.Add(catchUp - time.Second)
	r.publish(swapConfig(t, "new", "new")...)
	r.want()
	if events := r.events(publish.UnknownVersion); len(events) > 0 {
		t.Errorf("unknown: %v", events)
	}
	r.publish(swapConfig(t, "newest", "newest")...)
	r.want("CDS 2: newest new")
}

// A version that none of our replicas can have made is not waited for.
func TestAForeignVersionIsNotWaitedFor(t *testing.T) {
	r := newRig(t, envoyOptions(false), staticClusters("a")...)
	r.send(publish.Request{TypeURL: resourcev3.ClusterType, Version: "42"})
	r.wantAfter(100*time.Millisecond, "CDS 1: a")
}

// The endpoints that it asks for show that it has the cluster already: so the new
// routes can go before the CDS response that takes the old cluster away.
func TestRoutesGoFirstToAProxyThatHasTheirClusters(t *testing.T) {
	before, after := snapshot(t, swapConfig(t, "old", "new", "old")...), snapshot(t, swapConfig(t, "new", "new")...)
	r := resumeRig(t, envoyOptions(false), after)
	r.reconnect(false, before)
	r.wantAfter(100*time.Millisecond, "SDS 1: (greeting)")
	r.wantAfter(catchUp-100*time.Millisecond, "EDS 2: new", "RDS 3: routes")
	r.ack("RDS", "3", "routes")
	r.want("CDS 4: new", "EDS 5: new")
}

// They show that only by the cluster's own name, and only what they are asked for.
func TestNothingGoesBeforeUnknownClustersThatMayLackWhatItNames(t *testing.T) {
	withShared := func(name string) []proto.Message {
		return []proto.Message{
			rdsListener(t, "http", "routes"), table("routes", "/", name), edsCluster(name, "shared", 0), assignment("shared", 0),
		}
	}
	for _, test := range []struct {
		name          string
		before, after []proto.Message
	}{
		{"endpoints that another cluster may use", withShared("old"), withShared("new")},
		{
			"a listener that names a cluster itself", swapConfig(t, "old", "new", "old"),
			append(swapConfig(t, "new", "new"), tcpListener(t, "tcp", "other"), edsCluster("other", "other", 0), assignment("other", 0)),
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := resumeRig(t, envoyOptions(false), snapshot(t, test.after...))
			r.reconnect(false, snapshot(t, test.before...))
			for range 10 {
				for _, sent := range r.responses() {
					switch sent[:3] {
					case "LDS", "RDS":
						t.Fatalf("%v after the start: %s", r.now.Sub(time.Unix(0, 0)), sent)
					case "CDS":
						return
					}
				}
				r.now = r.proxy.Deadline()
			}
			t.Error("no clusters were sent")
		})
	}
}

func TestAProxyThatReconnectsWhileAClusterWarmsGetsItsEndpoints(t *testing.T) {
	both(t, func(t *testing.T, delta bool) {
		t.Helper()
		s := snapshot(t, swapConfig(t, "old", "old")...)
		r := resumeRig(t, envoyOptions(delta), s)
		q := publish.Request{TypeURL: resourcev3.EndpointType, Names: publish.NewNames([]string{"old"}), Subscribe: []string{"old"}}
		if delta {
			q.Initial = map[string]string{"old": s.Resources(resourcev3.EndpointType)[0].Version().String()}
		} else {
			q.Version = s.Version(resourcev3.EndpointType).String()
		}
		r.send(q)
		r.wantAfter(100*time.Millisecond, "EDS 1: old")
	})
}

// A replica that was started a moment ago knows nothing of the clusters that were
// replaced before, and each may be made of the others. To look for what is made of
// what must not take the cube of their number: with 1,000 that is a minute.
func TestManyUnknownClustersGoTogether(t *testing.T) {
	const many = 1000
	r := newRig(t, envoyOptions(true), staticClusters("a")...)
	initial := map[string]string{}
	for i := range many {
		initial[fmt.Sprintf("old-%d", i)] = resource(t, staticCluster("a", 1)).Version().String()
	}
	r.send(publish.Request{TypeURL: resourcev3.ClusterType, Initial: initial})
	r.send(publish.Request{TypeURL: resourcev3.ListenerType})
	r.want("LDS 1:")
	r.wantAfter(100*time.Millisecond, "CDS 2: a")
	r.ack("CDS", "2")
	r.ack("LDS", "1")
	r.want()
	r.now = r.proxy.Deadline()
	response, _ := r.proxy.Next(r.now)
	if got := len(response.Removed); got != many || r.now.Sub(time.Unix(0, 0)) != removalDelay+100*time.Millisecond {
		t.Errorf("%d of %d clusters are removed after %v", got, many, r.now.Sub(time.Unix(0, 0)))
	}
}
