package publish_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/xdsready/xdsready/pkg/xds/publish"
)

// What the proxy refuses is followed by what it had: then nothing waits any more,
// and what is to go can.
func TestARefusedSwitchThatIsTakenBackWaitsForNothing(t *testing.T) {
	config := func(revision int, to string, more ...proto.Message) []proto.Message {
		return append(more, staticCluster("a", revision), staticCluster("b", 0), tcpListener(t, "l", to))
	}
	r := newRig(t, envoyOptions(true), config(0, "a", tcpListener(t, "other", "b"))...)
	r.ask("CDS")
	r.want("CDS 1: a b")
	r.ack("CDS", "1")
	r.ask("LDS")
	r.want("LDS 2: l other")
	r.ack("LDS", "2")
	r.publish(config(0, "b", tcpListener(t, "other", "b"))...)
	r.want("LDS 3: l")
	r.publish(config(1, "a")...)
	r.want("CDS 4: a") // the listener waits for it
	r.nack("LDS", "3", "l: no")
	r.want("LDS 5: -other")
}

func TestARejectedClusterIsOfferedAgainLaterAndLater(t *testing.T) {
	both(t, func(t *testing.T, delta bool) {
		t.Helper()
		r := loaded(t, delta)
		r.publish(swapConfig(t, "old", "bad", "good", "old")...)
		first, again := "CDS 5: bad good old", "bad good old"
		if delta {
			first, again = "CDS 5: bad good", "bad"
		}
		r.want(first)
		r.nack("CDS", "5", "Error adding/updating cluster(s) bad: cannot create an EDS cluster without an EDS config")
		want := []publish.Event{{
			Kind: publish.Rejected, TypeURL: resourcev3.ClusterType, Names: []string{"bad"},
			Message: "Error adding/updating cluster(s) bad: cannot create an EDS cluster without an EDS config",
		}}
		if diff := cmp.Diff(want, r.events(publish.Rejected)); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		nonce := 5
		for _, minutes := range []float64{1, 2, 4, 8, 15, 15} {
			r.want()
			if got := r.proxy.Deadline().Sub(r.now).Minutes(); got != minutes {
				t.Fatalf("it is offered again in %v minutes, not in %v", got, minutes)
			}
			r.now = r.proxy.Deadline()
			nonce++
			r.want(fmt.Sprintf("CDS %d: %s", nonce, again))
			r.nack("CDS", strconv.Itoa(nonce), "Error adding/updating cluster(s) bad: still cannot")
			if events := r.events(publish.Rejected); len(events) > 0 {
				t.Fatalf("the same rejection was told twice: %v", events)
			}
		}
	})
}

func TestOtherContentIsOfferedAtOnceAfterARejection(t *testing.T) {
	r := loaded(t, true)
	r.publish(swapConfig(t, "old", "bad", "old")...)
	r.want("CDS 5: bad")
	r.nack("CDS", "5", "cluster bad: no")
	r.want()
	config := swapConfig(t, "old", "old")
	r.publish(append(config, staticCluster("bad", 1))...)
	r.want("CDS 6: bad")
}

// A NACK after which nothing is to be sent would be the last word on a stream
// that has all its config.
func TestARejectionThatIsWithdrawnIsFollowedByAnACK(t *testing.T) {
	both(t, func(t *testing.T, delta bool) {
		t.Helper()
		for name, bad := range map[string][]proto.Message{
			"added":   swapConfig(t, "old", "bad", "old"),
			"changed": append(swapConfig(t, "old"), staticCluster("old", 7)),
		} {
			t.Run(name, func(t *testing.T) {
				r := loaded(t, delta)
				r.publish(bad...)
				first := map[string]string{"added": "CDS 5: bad", "changed": "CDS 5: old"}[name]
				if !delta && name == "added" {
					first = "CDS 5: bad old"
				}
				r.want(first)
				r.nack("CDS", "5", "cluster "+strings.Fields(first)[2]+": no")
				r.want()
				r.publish(swapConfig(t, "old", "old")...)
				switch {
				case name == "changed": // a changed cluster waits for its endpoints
					r.want("CDS 6: old", "EDS 7: old")
				case delta:
					r.want("CDS 6: -bad")
				default:
					r.want("CDS 6: old")
				}
				r.ack("CDS", "6")
				r.want()
			})
		}
	})
}

func TestARouteToARejectedClusterKeepsItsTarget(t *testing.T) {
	r := loaded(t, true)
	config := swapConfig(t, "bad", "bad", "good", "old")
	config[1] = table("routes", "/", "bad", "/more", "good")
	r.publish(config...)
	r.want("CDS 5: bad good")
	r.nack("CDS", "5", "cluster bad: no")
	r.want("RDS 6: routes") // all but the route to bad
	r.ack("RDS", "6")
	r.want()
	r.now = r.now.Add(30 * time.Second)
	r.want()
}

func TestARejectionWithoutNamesIsFoundByHalves(t *testing.T) {
	both(t, func(t *testing.T, delta bool) {
		t.Helper()
		names := []string{"a", "b", "c", "d"}
		config := func(revision int) []proto.Message {
			var messages []proto.Message
			for _, name := range names {
				messages = append(messages, edsCluster(name, name, 0), assignment(name, revision))
			}
			return messages
		}
		r := newRig(t, envoyOptions(delta), config(0)...)
		r.ask("EDS", names...)
		r.want("EDS 1: a b c d")
		r.ack("EDS", "1", names...)
		r.publish(config(1)...)
		r.want("EDS 2: a b c d")
		const text = "malformed IP address: x"
		r.nack("EDS", "2", text, names...)
		r.want("EDS 3: a b")
		r.ack("EDS", "3", names...)
		r.want("EDS 4: c d")
		r.nack("EDS", "4", text, names...)
		r.want("EDS 5: c")
		r.nack("EDS", "5", text, names...)
		r.want("EDS 6: d")
		r.ack("EDS", "6", names...)
		want := []publish.Event{{Kind: publish.Rejected, TypeURL: resourcev3.EndpointType, Names: []string{"c"}, Message: text}}
		if diff := cmp.Diff(want, r.events(publish.Rejected)); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		r.wantAfter(time.Minute, "EDS 7: c")
	})
}

// A SotW Envoy repeats nothing: it answers only the last of several responses, and
// each has all clusters.
func TestASotWRejectionIsAboutAllThatWasRepeated(t *testing.T) {
	r := loaded(t, false)
	r.publish(swapConfig(t, "old", "bad", "old")...)
	r.want("CDS 5: bad old")
	r.publish(swapConfig(t, "old", "bad", "good", "old")...)
	r.want("CDS 6: bad good old")
	r.nack("CDS", "6", "Error adding/updating cluster(s) bad: no")
	state := r.proxy.Types()[0]
	if diff := cmp.Diff([]string{"bad"}, state.Rejected); diff != "" {
		t.Fatalf("rejected (-want +got):\n%s", diff)
	}
	r.wantAfter(time.Minute, "CDS 7: bad good old")
}
