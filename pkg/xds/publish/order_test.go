package publish_test

import (
	"testing"
	"time"

	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/xdsready/xdsready/pkg/xds/publish"
)

// both runs a test in SotW and in delta.
func both(t *testing.T, test func(t *testing.T, delta bool)) {
	t.Helper()
	t.Run("SotW", func(t *testing.T) { test(t, false) })
	t.Run("delta", func(t *testing.T) { test(t, true) })
}

func loaded(t *testing.T, delta bool) *rig {
	t.Helper()
	r := newRig(t, envoyOptions(delta), swapConfig(t, "old", "old")...)
	r.load()
	return r
}

func TestSwapAddsThenSwitchesThenRemoves(t *testing.T) {
	both(t, func(t *testing.T, delta bool) {
		t.Helper()
		r := loaded(t, delta)
		r.publish(swapConfig(t, "new", "new")...)
		added, removed := "CDS 5: new old", "CDS 8: new"
		if delta {
			added, removed = "CDS 5: new", "CDS 8: -old"
		}
		r.want(added)
		names := []string{"new", "old"}
		if delta {
			names = names[:1]
		}
		r.send(publish.Request{TypeURL: resourcev3.EndpointType, Nonce: nonceIf(!delta, "2"), Names: publish.NewNames(names), Subscribe: names})
		r.want("EDS 6: new")
		r.ack("EDS", "6", names...)
		r.want("RDS 7: routes") // the CDS response is not acknowledged yet
		r.ack("CDS", "5")
		r.want()
		r.now = r.now.Add(time.Hour)
		r.want() // an old route may still be in use
		r.ack("RDS", "7", "routes")
		r.wantAfter(removalDelay, removed)
	})
}

func nonceIf(ok bool, nonce string) string {
	if ok {
		return nonce
	}
	return ""
}

func TestSwitchWaitsForTheAnswerOfAClusterWithHealthChecks(t *testing.T) {
	r := loaded(t, true)
	config := []proto.Message{
		rdsListener(t, "http", "routes"), table("routes", "/", "new"),
		healthChecked(edsCluster("new", "new", 0)), assignment("new", 0),
	}
	r.publish(config...)
	r.want("CDS 5: new")
	r.ask("EDS", "new")
	r.want("EDS 6: new")
	r.ack("EDS", "6")
	r.want() // its endpoints have come, not their answers
	r.ack("CDS", "5")
	r.want("RDS 7: routes")
}

func TestColdRoutesKeepTheirTargetAfter20sAndSwitchAfter2min(t *testing.T) {
	r := loaded(t, true)
	config := swapConfig(t, "new", "new", "old")
	config[1] = table("routes", "/", "new", "/more", "old")
	r.publish(config...)
	r.want("CDS 5: new")
	r.wantAfter(20*time.Second, "RDS 6: routes")
	want := []publish.Event{{
		Kind: publish.DeadlinePassed, TypeURL: resourcev3.RouteType, Names: []string{"routes"}, Cause: publish.ClusterCold, Message: "new",
	}}
	if diff := cmp.Diff(want, r.events(publish.DeadlinePassed)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	r.ack("RDS", "6")
	r.wantAfter(100*time.Second, "RDS 7: routes")
}

func TestANewerSnapshotTakesTheOlderOnesPlace(t *testing.T) {
	r := loaded(t, true)
	r.publish(swapConfig(t, "new", "new")...)
	r.want("CDS 5: new")
	r.publish(swapConfig(t, "newer", "newer")...)
	r.want("CDS 6: newer")
	r.ack("CDS", "5")
	r.want() // new is warm, and nobody wants it any more
	r.ack("CDS", "6")
	r.want("RDS 7: routes")
}

func TestAClientThatNamesItsClustersWaitsForNone(t *testing.T) {
	r := newRig(t, publish.Options{Aggregated: true, Strict: true}, swapConfig(t, "old", "old")...)
	r.ask("LDS", "http")
	r.want("LDS 1: http")
	r.ack("LDS", "1", "http")
	r.ask("RDS", "routes")
	r.want("RDS 2: routes")
	r.ack("RDS", "2", "routes")
	r.ask("CDS", "old")
	r.want("CDS 3: old")
	r.ack("CDS", "3", "old")
	r.publish(swapConfig(t, "new", "new")...)
	r.want("RDS 4: routes")
}

func TestSingleTypesHaveNoOrder(t *testing.T) {
	r := newRig(t, publish.Options{Delta: true}, swapConfig(t, "old", "old")...)
	r.ask("CDS")
	r.want("CDS 1: old")
	r.publish(swapConfig(t, "new", "new")...)
	r.want("CDS 2: new -old")
}

func TestAnHTTPFilterComesBeforeAndGoesAfterItsConfig(t *testing.T) {
	for _, test := range []struct {
		name          string
		before, after bool
		first, second string
	}{
		{"added", false, true, "LDS 5: http", "RDS 6: routes"},
		{"removed", true, false, "RDS 5: routes", "LDS 6: http"},
	} {
		t.Run(test.name, func(t *testing.T) {
			config := func(with bool) []proto.Message {
				routes := table("routes", "/", "old")
				var filters []string
				if with {
					routes, filters = overriding(t, routes, httpFilter), []string{httpFilter}
				}
				return []proto.Message{rdsListener(t, "http", "routes", filters...), routes, edsCluster("old", "old", 0), assignment("old", 0)}
			}
			r := newRig(t, envoyOptions(true), config(test.before)...)
			r.load()
			r.publish(config(test.after)...)
			r.want(test.first)
			r.ack(test.first[:3], "5")
			r.want(test.second)
		})
	}
}

func TestAClusterOfAReplacedListenerStaysForTheListenerDrain(t *testing.T) {
	config := func(cluster string) []proto.Message {
		return []proto.Message{tcpListener(t, "tcp", cluster), staticCluster(cluster, 0)}
	}
	r := newRig(t, envoyOptions(true), config("a")...)
	r.ask("CDS")
	r.want("CDS 1: a")
	r.ack("CDS", "1")
	r.ask("LDS")
	r.want("LDS 2: tcp")
	r.ack("LDS", "2")
	r.publish(config("b")...)
	r.want("CDS 3: b")
	r.ack("CDS", "3")
	r.want("LDS 4: tcp")
	r.ack("LDS", "4")
	for range 2 {
		r.want()
		r.now = r.now.Add(listenerDrain / 2)
	}
	r.wantAfter(removalDelay, "CDS 5: -a")
}

func TestAClusterThatADanglingRouteNamesStays(t *testing.T) {
	r := loaded(t, true)
	r.publish(rdsListener(t, "http", "routes"), table("routes", "/", "old"))
	r.now = r.now.Add(time.Hour)
	r.want()
	r.publish(rdsListener(t, "http", "routes"), table("routes"))
	r.want("RDS 5: routes")
	r.ack("RDS", "5")
	r.wantAfter(removalDelay, "CDS 6: -old")
}

func TestAnAggregateChangesWhenItsNewMembersAreWarm(t *testing.T) {
	config := func(member string) []proto.Message {
		return []proto.Message{aggregateCluster(t, "all", 0, member), staticCluster(member, 0)}
	}
	r := newRig(t, envoyOptions(true), config("a")...)
	r.ask("CDS")
	r.want("CDS 1: a all")
	r.ack("CDS", "1")
	r.ask("LDS")
	r.want("LDS 2:")
	r.ack("LDS", "2")
	r.publish(config("b")...)
	r.want("CDS 3: b")
	r.ack("CDS", "3")
	r.want("CDS 4: all")
}
