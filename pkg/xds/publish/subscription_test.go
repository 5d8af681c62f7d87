package publish_test

import (
	"strings"
	"testing"
	"time"

	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/protobuf/proto"

	"github.com/xdsready/xdsready/pkg/xds/publish"
)

func clusters(names ...string) []proto.Message {
	var messages []proto.Message
	for _, name := range names {
		messages = append(messages, staticCluster(name, 0))
	}
	return messages
}

func TestANonceThatWasNeverSentIsAnError(t *testing.T) {
	for _, nonce := range []string{"2", "0", "x", "-1", "18446744073709551616"} {
		r := newRig(t, envoyOptions(false), clusters("a")...)
		r.ask("CDS")
		r.want("CDS 1: a")
		err := r.proxy.Request(publish.Request{TypeURL: resourcev3.ClusterType, Nonce: nonce}, r.now)
		if err == nil || !strings.Contains(err.Error(), "never sent") {
			t.Errorf("Request with nonce %q = %v", nonce, err)
		}
	}
}

func TestAStaleSotWRequestIsNotAnswered(t *testing.T) {
	r := newRig(t, envoyOptions(false), swapConfig(t, "a", "a", "b")...)
	r.ask("EDS", "a")
	r.want("EDS 1: a")
	r.ack("EDS", "1", "a")
	r.publish(append(swapConfig(t, "a", "b"), edsCluster("a", "a", 0), assignment("a", 1))...)
	r.want("EDS 2: a")
	r.ack("EDS", "1", "a", "b") // sent before it has read 2
	r.want()
	r.ack("EDS", "2", "a", "b")
	r.want("EDS 3: b")
}

func TestARepeatedSotWRequestIsAnsweredAgain(t *testing.T) {
	r := newRig(t, envoyOptions(false), swapConfig(t, "a", "a")...)
	r.ask("EDS", "a")
	r.want("EDS 1: a")
	r.ack("EDS", "1", "a")
	r.want()
	r.ack("EDS", "1", "a") // the cluster warms again
	r.want("EDS 2: a")
}

func TestAChangedClusterGetsItsEndpointsUnasked(t *testing.T) {
	both(t, func(t *testing.T, delta bool) {
		t.Helper()
		r := loaded(t, delta)
		config := swapConfig(t, "old", "old")
		config[2] = edsCluster("old", "old", 1)
		r.publish(config...)
		r.want("CDS 5: old", "EDS 6: old")
	})
}

func TestDeltaSubscriptions(t *testing.T) {
	r := newRig(t, publish.Options{Delta: true}, clusters("a", "b", "c")...)
	delta := func(nonce string, subscribe, unsubscribe []string) {
		t.Helper()
		r.send(publish.Request{
			TypeURL: resourcev3.ClusterType, Nonce: nonce, Names: publish.NewNames(subscribe),
			Subscribe: subscribe, Unsubscribe: unsubscribe,
		})
	}
	delta("", []string{"a", "x"}, nil)
	r.want("CDS 1: a -x")
	delta("1", []string{"b"}, []string{"a"})
	r.want("CDS 2: b")
	delta("2", []string{"a"}, nil) // it has dropped a, so it is sent again
	r.want("CDS 3: a")
	delta("3", []string{"*"}, nil)
	r.want("CDS 4: c")
	delta("4", nil, []string{"*"})
	r.want()
	r.publish(clusters("a", "c")...)
	r.want("CDS 5: -b")
	r.publish(clusters("a", "x")...)
	r.want("CDS 6: x") // as soon as it exists
}

func TestTheOldAndTheNewWayToAskForEverything(t *testing.T) {
	both(t, func(t *testing.T, delta bool) {
		t.Helper()
		for _, q := range []publish.Request{
			{TypeURL: resourcev3.ClusterType},
			{TypeURL: resourcev3.ClusterType, Wildcard: true, Subscribe: []string{"*"}, Names: publish.NewNames(nil)},
		} {
			if delta && q.Wildcard {
				q.Names = publish.NewNames(q.Subscribe)
			}
			r := newRig(t, publish.Options{Delta: delta}, clusters("a", "b")...)
			r.send(q)
			r.want("CDS 1: a b")
		}
	})
}

func TestSotWNamesThatAreGivenUpMeanNone(t *testing.T) {
	r := newRig(t, publish.Options{}, clusters("a", "b")...)
	r.ask("CDS", "a")
	r.want("CDS 1: a")
	r.ack("CDS", "1")
	r.publish(clusters("a", "b", "c")...)
	r.want()
}

func TestAMissingRouteTableIsAnEmptyOne(t *testing.T) {
	both(t, func(t *testing.T, delta bool) {
		t.Helper()
		r := newRig(t, envoyOptions(delta), clusters("a")...)
		r.ask("RDS", "routes")
		r.want("RDS 1: routes")
		r.ack("RDS", "1", "routes")
		r.publish(append(clusters("a"), table("routes", "/", "a"))...)
		r.want("RDS 2: routes")
	})
}

func TestResourcesWithATTLAreRepeatedInTime(t *testing.T) {
	short := resource(t, staticCluster("short", 0)).WithTTL(10 * time.Second)
	r := resumeRig(t, publish.Options{Delta: true}, snapshotOf(t, append(resources(t, clusters("long")...), short)))
	r.ask("CDS")
	r.want("CDS 1: long short")
	r.ack("CDS", "1")
	r.wantAfter(5*time.Second, "CDS 2: ~short")
	r.wantAfter(5*time.Second, "CDS 3: ~short")
}
