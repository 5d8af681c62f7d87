package xds_test

import (
	"net"
	"testing"
	"time"

	adminv3 "github.com/envoyproxy/go-control-plane/envoy/admin/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	statusv3 "github.com/envoyproxy/go-control-plane/envoy/service/status/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/xdsready/xdsready/pkg/xds"
)

// csds serves the status of a rig's server and returns a client of it.
func (r *rig) csds(t *testing.T) statusv3.ClientStatusDiscoveryServiceClient {
	t.Helper()
	server := grpc.NewServer()
	r.server.RegisterCSDS(server)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		server.Stop()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return statusv3.NewClientStatusDiscoveryServiceClient(conn)
}

// connect opens a stream of a node that has acknowledged its clusters.
func (r *rig) connect(t *testing.T, id, cluster string) sotwStream {
	t.Helper()
	stream := r.sotw(testContext(t), t)
	send(t, stream, &discovery.DiscoveryRequest{Node: node(id, cluster), TypeUrl: resourcev3.ClusterType})
	send(t, stream, ack(receive(t, stream)))
	return stream
}

// ids are the nodes of an answer, in its order.
func ids(r *statusv3.ClientStatusResponse) []string {
	var list []string
	for _, c := range r.GetConfig() {
		list = append(list, c.GetNode().GetId())
	}
	return list
}

func TestCSDSTellsEachState(t *testing.T) {
	r := newRig(t, nil, xds.Options{Group: byCluster})
	r.set(t, "edge", edsCluster("a"))
	csds := r.csds(t)
	stream := r.connect(t, "envoy-1", "edge")
	type state struct {
		Status       statusv3.ConfigStatus
		HasVersion   bool
		Updated      bool
		Details, Key string
	}
	states := func() []state {
		response, err := csds.FetchClientStatus(testContext(t), &statusv3.ClientStatusRequest{})
		if err != nil {
			t.Fatal(err)
		}
		var list []state
		for _, config := range response.GetConfig() {
			for _, c := range config.GetGenericXdsConfigs() {
				if c.GetXdsConfig() != nil {
					t.Fatalf("content of a resource: %v", c)
				}
				list = append(list, state{c.GetConfigStatus(), c.GetVersionInfo() != "", c.GetLastUpdated() != nil,
					c.GetErrorState().GetDetails(), c.GetTypeUrl()})
			}
		}
		return list
	}
	await := func(what string, want state) {
		t.Helper()
		want.Key = resourcev3.ClusterType
		eventually(t, what, func() bool { return cmp.Equal([]state{want}, states()) })
	}
	await("SYNCED", state{Status: statusv3.ConfigStatus_SYNCED, HasVersion: true, Updated: true})
	r.set(t, "edge", edsCluster("b"))
	second := receive(t, stream)
	await("STALE", state{Status: statusv3.ConfigStatus_STALE, HasVersion: true, Updated: true})
	send(t, stream, nack(second, "", "no b"))
	await("ERROR", state{Status: statusv3.ConfigStatus_ERROR, HasVersion: true, Updated: true, Details: "no b"})
}

func TestCSDSStream(t *testing.T) {
	r := newRig(t, nil, xds.Options{})
	r.set(t, xds.AllGroup, edsCluster("a"))
	stream, err := r.csds(t).StreamClientStatus(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	ask := func(matchers ...*matcherv3.NodeMatcher) []string {
		t.Helper()
		if err := stream.Send(&statusv3.ClientStatusRequest{NodeMatchers: matchers}); err != nil {
			t.Fatal(err)
		}
		response, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		return ids(response)
	}
	if got := ask(); len(got) > 0 {
		t.Errorf("before anybody is there: %q", got)
	}
	r.connect(t, "b", "")
	r.connect(t, "a", "")
	if diff := cmp.Diff([]string{"a", "b"}, ask()); diff != "" {
		t.Errorf("all (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"b"}, ask(byID(exactly("b")))); diff != "" {
		t.Errorf("of one id (-want +got):\n%s", diff)
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if got, err := stream.Recv(); err == nil {
		t.Errorf("after the last question: %v", got)
	}
}

// The form of an answer, which other programs rely on, and its way back.
func TestClientConfig(t *testing.T) {
	since, updated := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), time.Date(2026, 1, 3, 0, 0, 0, 0, time.UTC)
	proxy := xds.Proxy{
		NodeID: "n", Group: "g", Address: "a:1", Transport: xds.Delta, Since: since, Lag: 1500 * time.Millisecond, Waits: "an ACK",
		Types: []xds.TypeState{
			{TypeURL: resourcev3.ClusterType, State: xds.Failed, Version: "1", Updated: updated, NACK: "no", Rejected: []string{"b", "c"}},
			{TypeURL: resourcev3.ListenerType, State: xds.NotSent},
		},
	}
	own, err := structpb.NewValue(map[string]any{
		"group": "g", "address": "a:1", "transport": "delta", "since": "2026-01-02T03:04:05.000000006Z", "lagSeconds": 1.5,
		"waits": "an ACK", "rejected": map[string]any{resourcev3.ClusterType: []any{"b", "c"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := &statusv3.ClientConfig{
		Node: &corev3.Node{Id: "n", Metadata: &structpb.Struct{Fields: map[string]*structpb.Value{"xdsready": own}}},
		GenericXdsConfigs: []*statusv3.ClientConfig_GenericXdsConfig{
			{TypeUrl: resourcev3.ClusterType, VersionInfo: "1", LastUpdated: timestamppb.New(updated),
				ConfigStatus: statusv3.ConfigStatus_ERROR, ErrorState: &adminv3.UpdateFailureState{Details: "no"}},
			{TypeUrl: resourcev3.ListenerType, ConfigStatus: statusv3.ConfigStatus_NOT_SENT},
		},
	}
	got := proxy.ClientConfig()
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("ClientConfig (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(proxy, xds.ProxyOf(got)); diff != "" {
		t.Errorf("and back (-want +got):\n%s", diff)
	}
	stranger := &statusv3.ClientConfig{Node: &corev3.Node{Id: "n"}}
	if diff := cmp.Diff(xds.Proxy{NodeID: "n"}, xds.ProxyOf(stranger)); diff != "" {
		t.Errorf("of another server (-want +got):\n%s", diff)
	}
}
