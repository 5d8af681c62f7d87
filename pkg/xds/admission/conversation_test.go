package admission

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/prometheus/client_golang/prometheus"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// conversation is a stream whose both sides speak from a script, in the time of
// a synctest bubble. A script has steps separated by "; ":
//
//	> cluster            the proxy subscribes, or asks for more before an answer
//	> cluster holds      the same, with config of an earlier stream
//	> cluster ack 1      the proxy accepts the response with nonce 1
//	> cluster nack 1     the proxy rejects it
//	> cluster more 1     the proxy, which has answered nonce 1, asks for more
//	< cluster 1          the server sends a response with nonce 1
//	stored edge          the node group edge has a new snapshot
//	scrape               Prometheus comes by
//	2s                   that time passes
type conversation struct {
	t         *testing.T
	admission *Admission
	metrics   prometheus.Gatherer
	delta     bool
	proxy     *fakeServerStream
	server    grpc.ServerStream // what the handler sees
}

// converse lets a proxy of the group "edge" hold a conversation on an open
// gate, and calls atEnd before the stream ends.
func converse(t *testing.T, method, script string, atEnd func(*conversation)) *conversation {
	t.Helper()
	a, err := New(nil, Options{Group: byCluster, Logger: discard})
	if err != nil {
		t.Fatal(err)
	}
	c := &conversation{
		t: t, admission: a, metrics: gatherer(t, a), delta: strings.Contains(method, "/Delta"),
		proxy: &fakeServerStream{ctx: t.Context()},
	}
	handler := func(_ any, server grpc.ServerStream) error {
		c.server = server
		for step := range strings.SplitSeq(script, "; ") {
			c.step(strings.Fields(step))
		}
		atEnd(c)
		return nil
	}
	if err := a.interceptStream(nil, c.proxy, &grpc.StreamServerInfo{FullMethod: method}, handler); err != nil {
		t.Errorf("the stream ended with %v", err)
	}
	return c
}

func (c *conversation) step(words []string) {
	c.t.Helper()
	switch words[0] {
	case ">":
		c.hear(words[1], words[2:])
	case "<":
		c.say(words[1], words[2])
	case "stored":
		c.admission.Stored(words[1])
	case "scrape":
		if _, err := c.metrics.Gather(); err != nil {
			c.t.Fatal(err)
		}
	default:
		d, err := time.ParseDuration(words[0])
		if err != nil {
			c.t.Fatalf("a script has %q: %v", words, err)
		}
		time.Sleep(d)
	}
}

// urlOf returns a type URL with the message that has that label.
func urlOf(label string) string {
	for _, names := range resourceTypes {
		if names.label == label {
			return "type.googleapis.com/envoy." + names.message
		}
	}
	panic(fmt.Sprintf("unknown type %q", label))
}

// hear lets the handler receive a message of the proxy.
func (c *conversation) hear(label string, words []string) {
	c.t.Helper()
	verb, nonce := "", ""
	if len(words) > 0 {
		verb = words[0]
	}
	if len(words) > 1 {
		nonce = words[1]
	}
	sotw := sotwFrom(Node{ID: "a", Cluster: "edge"})
	sotw.TypeUrl, sotw.ResponseNonce = urlOf(label), nonce
	delta := &discoveryv3.DeltaDiscoveryRequest{Node: sotw.GetNode(), TypeUrl: sotw.GetTypeUrl(), ResponseNonce: nonce}
	switch verb {
	case "":
		delta.ResourceNamesSubscribe = []string{"web"}
	case "holds":
		sotw.VersionInfo = "7"
		delta.InitialResourceVersions = map[string]string{"web": "7"}
	case "ack":
		sotw.VersionInfo = nonce
	case "nack":
		sotw.ErrorDetail = &rpcstatus.Status{Message: "malformed"}
		delta.ErrorDetail = sotw.GetErrorDetail()
	case "more": // SotW repeats the nonce, delta has none
		sotw.VersionInfo = nonce
		delta.ResponseNonce, delta.ResourceNamesSubscribe = "", []string{"web"}
	default:
		c.t.Fatalf("a script has the verb %q", verb)
	}
	var message, into proto.Message = sotw, &discoveryv3.DiscoveryRequest{}
	if c.delta {
		message, into = delta, &discoveryv3.DeltaDiscoveryRequest{}
	}
	c.proxy.inbound = append(c.proxy.inbound, message)
	if err := c.server.RecvMsg(into); err != nil {
		c.t.Fatalf("RecvMsg: %v", err)
	}
}

// say lets the handler send a response.
func (c *conversation) say(label, nonce string) {
	c.t.Helper()
	var message proto.Message = &discoveryv3.DiscoveryResponse{TypeUrl: urlOf(label), Nonce: nonce}
	if c.delta {
		message = &discoveryv3.DeltaDiscoveryResponse{TypeUrl: urlOf(label), Nonce: nonce}
	}
	if err := c.server.SendMsg(message); err != nil {
		c.t.Fatalf("SendMsg: %v", err)
	}
}

// first is a first load of clusters and listeners that takes a second.
const first = "> cluster; 1s; < cluster 1; > cluster ack 1; > listener; < listener 1; > listener ack 1"

func TestWhatConversationsTell(t *testing.T) {
	for _, tc := range []struct {
		name, script string
		oneType      bool    // on a stream of the cluster service
		want         samples // at the end of the script, without responses_total
	}{
		{
			name:   "nothing was said",
			script: "1s",
			want:   samples{},
		},
		{
			name:   "subscribed and not answered",
			script: "> cluster; 3s",
			want:   samples{"streams{syncing}": 1, "oldest_unconverged_seconds": 3},
		},
		{
			name:    "first config on a stream of one type",
			script:  "1s; > cluster; < cluster 1; 1s; > cluster ack 1",
			oneType: true,
			want:    samples{"streams{converged}": 1, "first_config_seconds_count": 1, "first_config_seconds_sum": 2},
		},
		{
			name:   "clusters alone are no config on ADS",
			script: "> cluster; < cluster 1; 1s; > cluster ack 1",
			want:   samples{"streams{converged}": 1},
		},
		{
			name:   "on ADS it is full when listeners are there, and all that was asked for by then",
			script: "> cluster; < cluster 1; > cluster ack 1; > listener; < listener 1; > route_table; 1s; > listener ack 1; < route_table 1; 1s; > route_table ack 1",
			want:   samples{"streams{converged}": 1, "first_config_seconds_count": 1, "first_config_seconds_sum": 2},
		},
		{
			name:   "only the first config is one",
			script: first + "; > secret; 1s; < secret 1; > secret ack 1",
			want:   samples{"streams{converged}": 1, "first_config_seconds_count": 1, "first_config_seconds_sum": 1},
		},
		{
			name:    "a proxy that comes back with config has no first one",
			script:  "> cluster holds; 1s; < cluster 1; > cluster ack 1",
			oneType: true,
			want:    samples{"streams{converged}": 1},
		},
		{
			name:   "a proxy that comes back and is sent nothing is converged",
			script: "> cluster holds; 1s",
			want:   samples{"streams{converged}": 1},
		},
		{
			name:   "a response that was not asked for does not count",
			script: "> cluster holds; < secret 1; 1s",
			want:   samples{"streams{converged}": 1},
		},
		{
			name:   "nor does its answer",
			script: "> cluster holds; < secret 1; > secret ack 1; 1s",
			want:   samples{"streams{converged}": 1},
		},
		{
			name:   "a rejected response leaves the proxy behind",
			script: "> cluster; < cluster 1; 1s; > cluster nack 1; 1s",
			want:   samples{"streams{syncing}": 1, "oldest_unconverged_seconds": 2, "nacks_total{cluster}": 1},
		},
		{
			name:    "until a later one is accepted",
			script:  "> cluster; < cluster 1; > cluster nack 1; 1s; < cluster 2; 1s; > cluster ack 2",
			oneType: true,
			want:    samples{"streams{converged}": 1, "nacks_total{cluster}": 1, "first_config_seconds_count": 1, "first_config_seconds_sum": 2},
		},
		{
			name:   "an answer to an earlier response settles nothing",
			script: "> cluster; < cluster 1; < cluster 2; > cluster ack 1; 1s",
			want:   samples{"streams{syncing}": 1, "oldest_unconverged_seconds": 1},
		},
		{
			name:   "a type that nobody knows counts as well",
			script: "> other; < other 1; 1s; > other nack 1",
			want:   samples{"streams{syncing}": 1, "oldest_unconverged_seconds": 1, "nacks_total{other}": 1},
		},
		{
			name:   "convergence goes from the snapshot to the ACK",
			script: first + "; 9s; stored edge; 1s; < cluster 2; 1s; > cluster ack 2; 2s; scrape",
			want:   first1.and(samples{"streams{converged}": 1, "convergence_seconds_count": 1, "convergence_seconds_sum": 2}),
		},
		{
			name:   "it is not measured before its last step may have come",
			script: first + "; stored edge; 1s; < cluster 2; > cluster ack 2; 1s; scrape",
			want:   first1.and(samples{"streams{converged}": 1}),
		},
		{
			name:   "it ends with the last step",
			script: first + "; stored edge; < cluster 2; 1s; > cluster ack 2; 500ms; < listener 2; 500ms; > listener ack 2; 5s; scrape",
			want:   first1.and(samples{"streams{converged}": 1, "convergence_seconds_count": 1, "convergence_seconds_sum": 2}),
		},
		{
			name:   "a push long after it has another cause",
			script: first + "; stored edge; 1s; < cluster 2; > cluster ack 2; 5s; < cluster 3; 1s; > cluster ack 3; 5s; scrape",
			want:   first1.and(samples{"streams{converged}": 1, "convergence_seconds_count": 1, "convergence_seconds_sum": 1}),
		},
		{
			name:   "a snapshot that changes nothing for the proxy is not counted",
			script: first + "; stored edge; 9s; stored edge; 1s; < cluster 2; > cluster ack 2; 5s; scrape",
			want:   first1.and(samples{"streams{converged}": 1, "convergence_seconds_count": 1, "convergence_seconds_sum": 1}),
		},
		{
			name:   "a proxy that lacks two snapshots is counted once, from the first that was sent",
			script: first + "; stored edge; 1s; < cluster 2; 5s; stored edge; < cluster 3; 1s; > cluster ack 2; > cluster ack 3; 5s; scrape",
			want:   first1.and(samples{"streams{converged}": 1, "convergence_seconds_count": 1, "convergence_seconds_sum": 7}),
		},
		{
			name:   "two snapshots that it took one after the other are two",
			script: first + "; stored edge; < cluster 2; 1s; > cluster ack 2; 500ms; stored edge; < cluster 3; 1s; > cluster ack 3; 5s; scrape",
			want:   first1.and(samples{"streams{converged}": 1, "convergence_seconds_count": 2, "convergence_seconds_sum": 2}),
		},
		{
			name:   "while it lacks one it is syncing since that was stored",
			script: first + "; 9s; stored edge; 1s; < cluster 2; 1s",
			want:   first1.and(samples{"streams{syncing}": 1, "oldest_unconverged_seconds": 2}),
		},
		{
			name:   "what answers a changed subscription is no snapshot",
			script: first + "; stored edge; > cluster more 1; 1s; < cluster 2; > cluster ack 2; 5s; scrape",
			want:   first1.and(samples{"streams{converged}": 1}),
		},
		{
			name:   "nor what answers one that was changed before the ACK",
			script: "> cluster; < cluster 1; > cluster more 1; > cluster ack 1; stored edge; 1s; < cluster 2; > cluster ack 2; 5s; scrape",
			want:   samples{"streams{converged}": 1},
		},
		{
			name:   "nor the answer to the first request",
			script: "> cluster; stored edge; 1s; < cluster 1; > cluster ack 1; 5s; scrape",
			want:   samples{"streams{converged}": 1},
		},
		{
			name:   "nor that to a proxy that comes back",
			script: "> cluster holds; stored edge; 1s; < cluster 1; > cluster ack 1; 5s; scrape",
			want:   samples{"streams{converged}": 1},
		},
		{
			name:   "but what comes after that answer is, ACKed or not",
			script: "> cluster; < cluster 1; stored edge; < cluster 2; 1s; > cluster ack 2; 5s; scrape",
			want:   samples{"streams{converged}": 1, "convergence_seconds_count": 1, "convergence_seconds_sum": 1},
		},
		{
			name:   "another group's snapshot is not this proxy's",
			script: first + "; stored internal; 1s; < cluster 2; > cluster ack 2; 5s; scrape",
			want:   first1.and(samples{"streams{converged}": 1}),
		},
		{
			name:   "a rejected snapshot does not converge",
			script: first + "; stored edge; < cluster 2; > cluster nack 2; 5s; scrape",
			want:   first1.and(samples{"streams{syncing}": 1, "oldest_unconverged_seconds": 5, "nacks_total{cluster}": 1}),
		},
	} {
		methods := []string{sotwADS, deltaADS}
		if tc.oneType {
			methods = []string{sotwClusters, deltaClusters}
		}
		for _, method := range methods {
			t.Run(tc.name+method[strings.LastIndexByte(method, '/'):], func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					converse(t, method, tc.script, func(c *conversation) {
						c.want(tc.want)
					})
				})
			})
		}
	}
}

// first1 is what the script first leaves.
var first1 = samples{"first_config_seconds_count": 1, "first_config_seconds_sum": 1}

// want compares all samples but responses_total.
func (c *conversation) want(want samples) {
	c.t.Helper()
	wantSamples(c.t, c.metrics, want, "responses_total")
}

func TestAStreamThatEnds(t *testing.T) {
	for _, tc := range []struct {
		name, script string
		want         samples
	}{
		{name: "is counted no more", script: "> cluster; 5s", want: samples{}},
		{
			name:   "has measured its last convergence",
			script: first + "; stored edge; 1s; < cluster 2; > cluster ack 2",
			want:   first1.and(samples{"convergence_seconds_count": 1, "convergence_seconds_sum": 1}),
		},
		{
			name:   "has not converged if it lacked something",
			script: first + "; stored edge; 1s; < cluster 2; 1s",
			want:   first1,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				converse(t, sotwADS, tc.script, func(*conversation) {}).want(tc.want)
			})
		})
	}
}

// go-control-plane receives on a goroutine that may live longer than the
// handler.
func TestAMessageAfterTheHandlersEndIsNotTracked(t *testing.T) {
	c := converse(t, sotwADS, "0s", func(*conversation) {})
	c.step([]string{">", "cluster"})
	c.want(samples{})
}

func TestResponsesAreCounted(t *testing.T) {
	for method, want := range map[string]samples{
		sotwADS:       {"responses_total{sotw,cluster}": 2, "responses_total{sotw,secret}": 1},
		deltaADS:      {"responses_total{delta,cluster}": 2, "responses_total{delta,secret}": 1},
		sotwClusters:  {"responses_total{sotw,cluster}": 2, "responses_total{sotw,secret}": 1},
		deltaClusters: {"responses_total{delta,cluster}": 2, "responses_total{delta,secret}": 1},
	} {
		t.Run(method[1:], func(t *testing.T) {
			c := converse(t, method, "< cluster 1; < cluster 2; < secret 1", func(*conversation) {})
			wantSamples(t, c.metrics, want)
		})
	}
}
