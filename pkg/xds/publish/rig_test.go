package publish_test

import (
	"strings"
	"testing"
	"time"

	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/xdsready/xdsready/pkg/cache"
	"github.com/xdsready/xdsready/pkg/xds/publish"
)

// rig is one stream whose messages a test writes by hand.
type rig struct {
	t     *testing.T
	proxy *publish.Proxy
	now   time.Time
	past  []*cache.Snapshot // newest first
}

func newRig(t *testing.T, o publish.Options, messages ...proto.Message) *rig {
	t.Helper()
	return resumeRig(t, o, snapshot(t, messages...))
}

// resumeRig is a new stream to a server that has published these, newest first.
func resumeRig(t *testing.T, o publish.Options, past ...*cache.Snapshot) *rig {
	t.Helper()
	return &rig{t: t, proxy: publish.New(publish.NewTarget(past[0], past[1:]), o), now: time.Unix(0, 0), past: past}
}

func envoyOptions(delta bool) publish.Options {
	return publish.Options{Delta: delta, Aggregated: true, RemovalDelay: removalDelay, ListenerDrain: listenerDrain}
}

func (r *rig) publish(messages ...proto.Message) {
	r.t.Helper()
	r.past = append([]*cache.Snapshot{snapshot(r.t, messages...)}, r.past...)
	r.proxy.SetTarget(publish.NewTarget(r.past[0], r.past[1:]))
}

// types are the words for types in these tests.
var types = map[string]string{
	"CDS": resourcev3.ClusterType, "EDS": resourcev3.EndpointType, "LDS": resourcev3.ListenerType,
	"RDS": resourcev3.RouteType, "SDS": resourcev3.SecretType,
}

// ask sends a SotW or delta subscription.
func (r *rig) ask(kind string, names ...string) {
	r.t.Helper()
	r.send(publish.Request{TypeURL: types[kind], Names: publish.NewNames(names), Subscribe: names})
}

// ack acknowledges a response, with the same names in SotW.
func (r *rig) ack(kind, nonce string, names ...string) {
	r.t.Helper()
	r.send(publish.Request{TypeURL: types[kind], Nonce: nonce, Names: publish.NewNames(names)})
}

func (r *rig) nack(kind, nonce, text string, names ...string) {
	r.t.Helper()
	r.send(publish.Request{TypeURL: types[kind], Nonce: nonce, Names: publish.NewNames(names), NACK: true, Error: text})
}

func (r *rig) send(q publish.Request) {
	r.t.Helper()
	if err := r.proxy.Request(q, r.now); err != nil {
		r.t.Fatalf("Request = %v", err)
	}
}

// responses returns what is sent now: "CDS 1: a b -c".
func (r *rig) responses() []string {
	r.t.Helper()
	var all []string
	for {
		s, ok := r.proxy.Next(r.now)
		if !ok {
			return all
		}
		all = append(all, r.describe(s))
	}
}

func (r *rig) describe(s publish.Response) string {
	kind := "?"
	for k, typeURL := range types {
		if typeURL == s.TypeURL {
			kind = k
		}
	}
	words := []string{kind, s.Nonce + ":"}
	resources := s.Resources
	if s.Whole {
		resources = append(append([]cache.Resource(nil), r.past[0].Resources(s.TypeURL)...), resources...)
	}
	for _, resource := range resources {
		words = append(words, resource.Name())
	}
	for _, resource := range s.Heartbeats {
		words = append(words, "~"+resource.Name())
	}
	for _, name := range s.Removed {
		words = append(words, "-"+name)
	}
	if s.Greeting {
		words = append(words, "(greeting)")
	}
	return strings.Join(words, " ")
}

// want checks what is sent now.
func (r *rig) want(responses ...string) {
	r.t.Helper()
	if diff := cmp.Diff(responses, r.responses()); diff != "" {
		r.t.Fatalf("at %v (-want +got):\n%s", r.now.Sub(time.Unix(0, 0)), diff)
	}
}

// wantAfter checks that nothing is sent until d has passed, and then this.
func (r *rig) wantAfter(d time.Duration, responses ...string) {
	r.t.Helper()
	r.want()
	end := r.now.Add(d)
	r.now = end.Add(-time.Nanosecond)
	r.want()
	if deadline := r.proxy.Deadline(); deadline.IsZero() || deadline.After(end) {
		r.t.Fatalf("Deadline() = %v, too late for what happens at %v", deadline, end)
	}
	r.now = end
	r.want(responses...)
}

// events returns the kinds and details of what happened, for comparison.
func (r *rig) events(kind publish.EventKind) []publish.Event {
	var all []publish.Event
	for _, e := range r.proxy.Events() {
		if e.Kind == kind {
			all = append(all, e)
		}
	}
	return all
}

// load lets an Envoy load the config: one cluster with endpoints, one listener
// and one table, whose responses have the nonces 1 to 4.
func (r *rig) load() {
	r.t.Helper()
	r.ask("CDS")
	r.want("CDS 1: old")
	r.ack("CDS", "1")
	r.ask("EDS", "old")
	r.want("EDS 2: old")
	r.ack("EDS", "2", "old")
	r.ask("LDS")
	r.want("LDS 3: http")
	r.ack("LDS", "3")
	r.ask("RDS", "routes")
	r.want("RDS 4: routes")
	r.ack("RDS", "4", "routes")
	r.want()
}

// swapConfig has a table that routes to one cluster, of those that exist.
func swapConfig(t *testing.T, to string, clusters ...string) []proto.Message {
	t.Helper()
	messages := []proto.Message{rdsListener(t, "http", "routes"), table("routes", "/", to)}
	for _, name := range clusters {
		messages = append(messages, edsCluster(name, name, 0), assignment(name, 0))
	}
	return messages
}
