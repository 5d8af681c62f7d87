package xds_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/xdsready/xdsready/pkg/xds"
)

// rawCodec sends bytes as they are, and receives nothing.
type rawCodec struct{}

func (rawCodec) Marshal(v any) ([]byte, error) { return v.([]byte), nil } //nolint:errcheck // sendRaw sends bytes
func (rawCodec) Unmarshal([]byte, any) error   { return nil }
func (rawCodec) Name() string                  { return "proto" }

// The methods of ADS, and of a service of one type.
const (
	sotwADS   = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources"
	deltaADS  = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
	sotwCDS   = "/envoy.service.cluster.v3.ClusterDiscoveryService/StreamClusters"
	deltaCDS  = "/envoy.service.cluster.v3.ClusterDiscoveryService/DeltaClusters"
	badUTF8   = "\xc3\x28"
	manyNames = 100_000
)

// end sends messages and returns the status that the stream ends with.
func end(t *testing.T, conn *grpc.ClientConn, method string, messages ...[]byte) error {
	t.Helper()
	stream, err := conn.NewStream(testContext(t), &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method,
		grpc.ForceCodec(rawCodec{}))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		if err := stream.SendMsg(m); err != nil {
			break // the server has ended the stream: RecvMsg says why
		}
	}
	for {
		if err := stream.RecvMsg(nil); err != nil {
			return err
		}
	}
}

func encode(t *testing.T, m proto.Message) []byte {
	t.Helper()
	encoded, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

// field is an encoded string field.
func field(number protowire.Number, text string) []byte {
	return protowire.AppendString(protowire.AppendTag(nil, number, protowire.BytesType), text)
}

// names returns that many names, which begin with a prefix.
func names(n int, prefix string) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("%s%05d", prefix, i)
	}
	return list
}

// badInput is what a client may send, by mistake or to do harm.
type badInput struct {
	method   string
	messages [][]byte
	code     codes.Code
	message  string // a part of the status's
	reason   string // label of xdsready_requests_refused_total
}

func sotwBadInputs(t *testing.T) map[string]badInput {
	t.Helper()
	first := func(typeURL string, names ...string) *discovery.DiscoveryRequest {
		return &discovery.DiscoveryRequest{Node: node("bad", ""), TypeUrl: typeURL, ResourceNames: names}
	}
	good := encode(t, first(resourcev3.ClusterType))
	return map[string]badInput{
		"unknown type": {sotwADS, [][]byte{encode(t, first("type.googleapis.com/Other"))},
			codes.InvalidArgument, `type_url "type.googleapis.com/Other" is not served here; served are type.googleapis.com/envoy`, "type"},
		"unknown type later": {sotwADS, [][]byte{good, encode(t, &discovery.DiscoveryRequest{TypeUrl: "x"})},
			codes.InvalidArgument, `type_url "x" is not served here`, "type"},
		"no type": {sotwADS, [][]byte{encode(t, first(""))}, codes.InvalidArgument, `type_url "" is not served here`, "type"},
		"a type's long name": {sotwADS, [][]byte{encode(t, first(strings.Repeat("x", 5000)))},
			codes.InvalidArgument, `xxx" is not served here`, "type"},
		"other type than the service's": {sotwCDS, [][]byte{encode(t, first(resourcev3.ListenerType))},
			codes.InvalidArgument, `type_url "` + resourcev3.ListenerType + `" on a stream of ` + resourcev3.ClusterType + ": use ADS", "type"},
		"type switched": {sotwCDS, [][]byte{good, encode(t, &discovery.DiscoveryRequest{TypeUrl: resourcev3.ListenerType})},
			codes.InvalidArgument, `on a stream of ` + resourcev3.ClusterType, "type"},
		"nonce never sent": {sotwADS, [][]byte{good, encode(t, &discovery.DiscoveryRequest{TypeUrl: resourcev3.ClusterType, ResponseNonce: "77"})},
			codes.InvalidArgument, `response_nonce "77" was never sent on this stream`, "nonce"},
		"nonce that is no number": {sotwADS, [][]byte{good, encode(t, &discovery.DiscoveryRequest{TypeUrl: resourcev3.ClusterType, ResponseNonce: "x"})},
			codes.InvalidArgument, `response_nonce "x" was never sent`, "nonce"},
		"nonce in the first request": {sotwADS, [][]byte{encode(t, &discovery.DiscoveryRequest{
			Node: node("bad", ""), TypeUrl: resourcev3.ClusterType, ResponseNonce: "1"})},
			codes.InvalidArgument, `response_nonce "1" was never sent`, "nonce"},
		"no node": {sotwADS, [][]byte{encode(t, &discovery.DiscoveryRequest{TypeUrl: resourcev3.ClusterType})},
			codes.InvalidArgument, "has no node.id: set node.id in the proxy's bootstrap", "no_node"},
		"node without id": {sotwADS, [][]byte{encode(t, &discovery.DiscoveryRequest{
			Node: &corev3.Node{Cluster: "c"}, TypeUrl: resourcev3.ClusterType})},
			codes.InvalidArgument, "has no node.id", "no_node"},
		"far too many names": {sotwADS, [][]byte{encode(t, first(resourcev3.ClusterType, names(manyNames, "n")...))},
			codes.ResourceExhausted, "100000 resource names: at most 10006 are looked up", "names"},
		"invalid UTF-8 in a name": {sotwADS, [][]byte{good, field(3, badUTF8)},
			codes.Internal, "failed to unmarshal the received message", "malformed"},
		"invalid UTF-8 among many names": {sotwADS, [][]byte{append(encode(t, first("", names(1000, "n")...)), field(3, badUTF8)...)},
			codes.Internal, "string field contains invalid UTF-8", "malformed"},
		"invalid UTF-8 in the type": {sotwADS, [][]byte{field(4, badUTF8)},
			codes.Internal, "failed to unmarshal the received message", "malformed"},
		"no message": {sotwADS, [][]byte{[]byte("GET / HTTP/1.1")}, codes.Internal, "failed to unmarshal the received message", "malformed"},
		"a message that is cut off": {sotwADS, [][]byte{encode(t, first("", names(1000, "n")...))[:8000]},
			codes.Internal, "failed to unmarshal the received message", "malformed"},
		"100 MB": {sotwADS, [][]byte{good, field(3, strings.Repeat("x", 100<<20))},
			codes.ResourceExhausted, "received message larger than max", "too_large"},
	}
}

func deltaBadInputs(t *testing.T) map[string]badInput {
	t.Helper()
	first := func(typeURL string, names ...string) *discovery.DeltaDiscoveryRequest {
		return &discovery.DeltaDiscoveryRequest{Node: node("bad", ""), TypeUrl: typeURL, ResourceNamesSubscribe: names}
	}
	good := encode(t, first(resourcev3.ClusterType))
	return map[string]badInput{
		"unknown type": {deltaADS, [][]byte{encode(t, first("x"))}, codes.InvalidArgument, `type_url "x" is not served here`, "type"},
		"type switched": {deltaCDS, [][]byte{good, encode(t, first(resourcev3.ListenerType))},
			codes.InvalidArgument, "on a stream of " + resourcev3.ClusterType, "type"},
		"nonce never sent": {deltaADS, [][]byte{good, encode(t, &discovery.DeltaDiscoveryRequest{TypeUrl: resourcev3.ClusterType, ResponseNonce: "77"})},
			codes.InvalidArgument, `response_nonce "77" was never sent`, "nonce"},
		"no node": {deltaADS, [][]byte{encode(t, &discovery.DeltaDiscoveryRequest{TypeUrl: resourcev3.ClusterType})},
			codes.InvalidArgument, "has no node.id", "no_node"},
		"far too many names": {deltaADS, [][]byte{good, encode(t, subscribe(resourcev3.ClusterType, names(manyNames, "n")...))},
			codes.ResourceExhausted, "100000 resource names: at most 10006 are looked up", "names"},
		"invalid UTF-8": {deltaADS, [][]byte{append(encode(t, first("", names(1000, "n")...)), field(3, badUTF8)...)},
			codes.Internal, "string field contains invalid UTF-8", "malformed"},
		"invalid UTF-8 in a version": {deltaADS, [][]byte{field(5, string(append(field(1, "a"), field(2, badUTF8)...)))},
			codes.Internal, "failed to unmarshal the received message", "malformed"},
		"100 MB": {deltaADS, [][]byte{field(3, strings.Repeat("x", 100<<20))},
			codes.ResourceExhausted, "received message larger than max", "too_large"},
	}
}

// Bad input ends its stream with a status that says what is wrong, is counted,
// and disturbs no other stream, not even on the same connection.
func TestBadInput(t *testing.T) {
	for variant, inputs := range map[string]map[string]badInput{"SotW": sotwBadInputs(t), "delta": deltaBadInputs(t)} {
		t.Run(variant, func(t *testing.T) {
			for _, options := range []string{"with our grpc options", "without"} {
				t.Run(options, func(t *testing.T) {
					for name, input := range inputs {
						t.Run(name, func(t *testing.T) {
							refuses(t, input, options == "without")
						})
					}
				})
			}
		})
	}
}

func refuses(t *testing.T, input badInput, plain bool) {
	t.Helper()
	r := newServer(t, nil, xds.Options{})
	clusters := []proto.Message{staticCluster("a"), staticCluster("b"), staticCluster("c")}
	r.set(t, xds.AllGroup, clusters...)
	if plain {
		r.conn = r.listen(t)
	} else {
		r.conn = r.listen(t, r.server.GRPCOptions()...)
	}
	beside := r.sotw(testContext(t), t)
	send(t, beside, &discovery.DiscoveryRequest{Node: node("good", ""), TypeUrl: resourcev3.ClusterType})
	send(t, beside, ack(receive(t, beside)))

	wantStatus(t, end(t, r.conn, input.method, input.messages...), input.code, input.message)
	eventually(t, "the stream's end on the server", func() bool {
		proxies := r.server.Proxies()
		return len(proxies) == 1 && proxies[0].NodeID == "good"
	})
	refused := func() map[string]float64 {
		counted := counters(t, r.server, "xdsready_requests_refused_total")
		maps.DeleteFunc(counted, func(_ string, n float64) bool { return n == 0 })
		return counted
	}
	// grpc tells the proxy before it tells the server.
	eventually(t, "counting it", func() bool { return len(refused()) > 0 })
	if diff := cmp.Diff(map[string]float64{input.reason: 1}, refused()); diff != "" {
		t.Errorf("xdsready_requests_refused_total (-want +got):\n%s", diff)
	}

	r.set(t, xds.AllGroup, append(clusters, staticCluster("d"))...)
	want(t, "the stream beside it", receive(t, beside), "a", "b", "c", "d")
}

// Many names are no harm where there are as many resources.
func TestManyNamesThatExist(t *testing.T) {
	r := newServer(t, nil, xds.Options{})
	asked := names(manyNames, "")
	var messages []proto.Message
	for _, name := range asked {
		messages = append(messages, staticCluster(name))
	}
	snapshot := snapshotOf(t, messages...)
	r.store.Set(xds.AllGroup, snapshot)
	held := map[string]string{}
	for _, resource := range snapshot.Resources(resourcev3.ClusterType) {
		held[resource.Name()] = resource.Version().String()
	}
	r.conn = r.listen(t, r.server.GRPCOptions()...)
	t.Run("SotW", func(t *testing.T) {
		stream := r.sotw(testContext(t), t)
		send(t, stream, &discovery.DiscoveryRequest{Node: node("1", ""), TypeUrl: resourcev3.ClusterType, ResourceNames: asked})
		if got := len(receive(t, stream).GetResources()); got != manyNames {
			t.Errorf("%d resources, want all", got)
		}
	})
	t.Run("delta", func(t *testing.T) {
		stream := r.delta(testContext(t), t)
		sendDelta(t, stream, &discovery.DeltaDiscoveryRequest{Node: node("2", ""), TypeUrl: resourcev3.ClusterType, ResourceNamesSubscribe: asked})
		if got := len(receiveDelta(t, stream).GetResources()); got != manyNames {
			t.Errorf("%d resources, want all", got)
		}
	})
	t.Run("delta, of a proxy that holds them", func(t *testing.T) {
		stream := r.delta(testContext(t), t)
		sendDelta(t, stream, &discovery.DeltaDiscoveryRequest{
			Node: node("2", ""), TypeUrl: resourcev3.ClusterType, ResourceNamesSubscribe: asked, InitialResourceVersions: held})
		if got := receiveDelta(t, stream); len(got.GetResources()) > 0 {
			t.Errorf("%d resources, want none", len(got.GetResources()))
		}
	})
}
