package admission

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	clusterservicev3 "github.com/envoyproxy/go-control-plane/envoy/service/cluster/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

func sotwFrom(n Node) *discoveryv3.DiscoveryRequest {
	return &discoveryv3.DiscoveryRequest{Node: &corev3.Node{Id: n.ID, Cluster: n.Cluster}}
}

func deltaFrom(n Node) *discoveryv3.DeltaDiscoveryRequest {
	return &discoveryv3.DeltaDiscoveryRequest{Node: &corev3.Node{Id: n.ID, Cluster: n.Cluster}}
}

// guarded is an open server over TLS that counts the messages its handlers see.
type guarded struct {
	pki  *pki
	addr string
	seen atomic.Int64
}

func newGuarded(t *testing.T, patterns map[string][]string) *guarded {
	t.Helper()
	authorize, err := SANs(patterns, byCluster)
	if err != nil {
		t.Fatal(err)
	}
	g := &guarded{pki: newPKI(t)}
	r, addr := loopback(t, rigOptions{
		Options:   Options{Authorize: authorize},
		serverTLS: g.pki.server(),
		handle: func(s adsStream) error {
			if _, err := s.Recv(); err == nil {
				g.seen.Add(1)
			}
			return nil // also on an error, as go-control-plane
		},
		handleDelta: func(s deltaAdsStream) error {
			if _, err := s.Recv(); err == nil {
				g.seen.Add(1)
			}
			return nil
		},
		fetch: func(*discoveryv3.DiscoveryRequest) { g.seen.Add(1) },
	})
	g.addr = addr
	r.open()
	return g
}

// ways are the ways to ask for config: each returns the error that ended the
// call, io.EOF for a stream that its handler ended.
var ways = map[string]func(context.Context, *grpc.ClientConn, Node) error{
	"SotW": func(ctx context.Context, cc *grpc.ClientConn, n Node) error {
		s, err := discoveryv3.NewAggregatedDiscoveryServiceClient(cc).StreamAggregatedResources(ctx)
		if err != nil {
			return err
		}
		_ = s.Send(sotwFrom(n)) // its error is what Recv returns
		_, err = s.Recv()
		return err
	},
	"delta": func(ctx context.Context, cc *grpc.ClientConn, n Node) error {
		s, err := discoveryv3.NewAggregatedDiscoveryServiceClient(cc).DeltaAggregatedResources(ctx)
		if err != nil {
			return err
		}
		_ = s.Send(deltaFrom(n))
		_, err = s.Recv()
		return err
	},
	"fetch": func(ctx context.Context, cc *grpc.ClientConn, n Node) error {
		if _, err := clusterservicev3.NewClusterDiscoveryServiceClient(cc).FetchClusters(ctx, sotwFrom(n)); err != nil {
			return err
		}
		return io.EOF
	},
}

func TestACertificateTakesOnlyItsGroups(t *testing.T) {
	g := newGuarded(t, map[string][]string{
		"edge":     {"spiffe://prod/ns/*/sa/edge", "edge-*.example"},
		"internal": {"spiffe://prod/ns/mesh/sa/proxy"},
		"closed":   {},
	})
	for _, tc := range []struct {
		name string
		sans []string // none: no client certificate
		node Node
		want string // in the text of PERMISSION_DENIED; empty: admitted
	}{
		{name: "URI", sans: []string{"spiffe://prod/ns/mesh/sa/proxy"}, node: Node{ID: "a", Cluster: "internal"}},
		{name: "URI, * in the pattern", sans: []string{"spiffe://prod/ns/shop/sa/edge"}, node: Node{ID: "a", Cluster: "edge"}},
		{name: "DNS, * in the pattern", sans: []string{"edge-7.example"}, node: Node{ID: "a", Cluster: "edge"}},
		{name: "the second name of several", sans: []string{"other.example", "spiffe://prod/ns/mesh/sa/proxy"}, node: Node{ID: "a", Cluster: "internal"}},
		{name: "names of two groups: one", sans: []string{"edge-7.example", "spiffe://prod/ns/mesh/sa/proxy"}, node: Node{ID: "a", Cluster: "edge"}},
		{name: "names of two groups: the other", sans: []string{"edge-7.example", "spiffe://prod/ns/mesh/sa/proxy"}, node: Node{ID: "a", Cluster: "internal"}},
		{
			name: "another group", sans: []string{"spiffe://prod/ns/mesh/sa/proxy"}, node: Node{ID: "a", Cluster: "edge"},
			want: `node "a" (cluster "edge") is refused: no SAN of its certificate may take group "edge"`,
		},
		{name: "a name that does not match", sans: []string{"spiffe://prod/ns/shop/sa/edge2"}, node: Node{ID: "a", Cluster: "edge"}, want: "no SAN"},
		{name: "no name", sans: []string{""}, node: Node{ID: "a", Cluster: "edge"}, want: "no SAN"},
		{name: "no certificate", node: Node{ID: "a", Cluster: "edge"}, want: "no verified client certificate"},
		{name: "a group without patterns", sans: []string{"edge-7.example"}, node: Node{ID: "a", Cluster: "closed"}, want: "no SAN"},
		{name: "a group that nobody knows", sans: []string{"edge-7.example"}, node: Node{ID: "a", Cluster: "unheard"}, want: "no SAN"},
		{name: "no node", sans: []string{"edge-7.example"}, want: "the first message must name a node"},
	} {
		for way, ask := range ways {
			t.Run(tc.name+"/"+way, func(t *testing.T) {
				cc := dial(t, g.addr, g.pki.client(tc.sans...))
				before := g.seen.Load()
				err := ask(t.Context(), cc, tc.node)
				messages := g.seen.Load() - before
				switch {
				case tc.want == "":
					if !errors.Is(err, io.EOF) || messages != 1 {
						t.Errorf("the call ended with %v and its handler saw %d messages, want its own end after 1", err, messages)
					}
				case status.Code(err) != codes.PermissionDenied || !strings.Contains(err.Error(), tc.want):
					t.Errorf("got %v, want PERMISSION_DENIED with %q", err, tc.want)
				case messages != 0:
					t.Errorf("the handler saw %d messages of a proxy that was refused", messages)
				}
			})
		}
	}
}

// anyID authorizes every node of the cluster "edge".
func anyID(_ context.Context, n Node) error {
	if n.Cluster != "edge" {
		return errors.New("not in edge")
	}
	return nil
}

func TestAStreamKeepsItsNode(t *testing.T) {
	edge := Node{ID: "a", Cluster: "edge"}
	for _, tc := range []struct {
		name      string
		authorize func(context.Context, Node) error
		second    *discoveryv3.DiscoveryRequest
		want      codes.Code
	}{
		{name: "no node in later messages", authorize: anyID, second: &discoveryv3.DiscoveryRequest{}},
		{name: "the same node again", authorize: anyID, second: sotwFrom(edge)},
		{name: "another id, though it may be that too", authorize: anyID, second: sotwFrom(Node{ID: "b", Cluster: "edge"}), want: codes.PermissionDenied},
		{name: "another cluster", authorize: anyID, second: sotwFrom(Node{ID: "a", Cluster: "internal"}), want: codes.PermissionDenied},
		{name: "an empty node", authorize: anyID, second: sotwFrom(Node{}), want: codes.PermissionDenied},
		{name: "without Authorize no node is checked", second: sotwFrom(Node{ID: "b", Cluster: "internal"})},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, err := New(nil, Options{Authorize: tc.authorize})
			if err != nil {
				t.Fatal(err)
			}
			ss := &fakeServerStream{ctx: t.Context(), inbound: []proto.Message{sotwFrom(edge), tc.second, sotwFrom(edge)}}
			var received int
			var sendErr error
			handler := func(_ any, s grpc.ServerStream) error {
				for s.RecvMsg(&discoveryv3.DiscoveryRequest{}) == nil {
					received++
				}
				sendErr = s.SendMsg(&discoveryv3.DiscoveryResponse{})
				return nil
			}
			err = a.interceptStream(nil, ss, &grpc.StreamServerInfo{FullMethod: sotwADS}, handler)
			wantReceived, wantSent := 3, 1
			if tc.want != codes.OK {
				wantReceived, wantSent = 1, 0 // and nothing after the denial, either way
			}
			if status.Code(err) != tc.want || status.Code(sendErr) != tc.want {
				t.Errorf("the stream ended with %v, the handler's send with %v, want %v", err, sendErr, tc.want)
			}
			if received != wantReceived || ss.sent != wantSent {
				t.Errorf("%d messages reached the handler and %d the proxy, want %d and %d", received, ss.sent, wantReceived, wantSent)
			}
		})
	}
}

func TestNothingIsSentBeforeTheProxyIsKnown(t *testing.T) {
	a, err := New(nil, Options{Authorize: anyID})
	if err != nil {
		t.Fatal(err)
	}
	ss := &fakeServerStream{ctx: t.Context(), inbound: []proto.Message{sotwFrom(Node{ID: "a", Cluster: "edge"})}}
	handler := func(_ any, s grpc.ServerStream) error {
		if err := s.SendMsg(&discoveryv3.DiscoveryResponse{}); status.Code(err) != codes.PermissionDenied {
			t.Errorf("SendMsg before the first message: got %v, want PERMISSION_DENIED", err)
		}
		if err := s.RecvMsg(&discoveryv3.DiscoveryRequest{}); status.Code(err) != codes.PermissionDenied {
			t.Errorf("RecvMsg after that: got %v, want PERMISSION_DENIED", err)
		}
		return nil
	}
	err = a.interceptStream(nil, ss, &grpc.StreamServerInfo{FullMethod: sotwADS}, handler)
	if status.Code(err) != codes.PermissionDenied || ss.sent != 0 {
		t.Errorf("the stream ended with %v after %d messages to the proxy, want PERMISSION_DENIED after none", err, ss.sent)
	}
}

func TestALongDenialIsCut(t *testing.T) {
	a, err := New(nil, Options{Authorize: func(context.Context, Node) error {
		return errors.New(strings.Repeat("a", 2*maxReason))
	}})
	if err != nil {
		t.Fatal(err)
	}
	got := status.Convert(a.authorize(t.Context(), Node{ID: strings.Repeat("b", maxReason)})).Message()
	if len(got) > maxReason+len("…") || !strings.Contains(got, "aaa") {
		t.Errorf("a denial of %d bytes, want at most %d with the reason among them", len(got), maxReason)
	}
}

// A peer that may be no node at all is told so before the gate: it neither
// learns what is pending nor takes a place among the held.
func TestPeerIsJudgedBeforeTheGate(t *testing.T) {
	for _, mode := range []Mode{Refuse, Hold} {
		t.Run(mode.String(), func(t *testing.T) {
			stranger := errors.New("a stranger")
			r, addr := loopback(t, rigOptions{Options: Options{
				Mode: mode, MaxHeld: 1, HoldTimeout: time.Second, Peer: func(context.Context) error { return stranger },
			}})
			for _, gate := range []string{"shut", "open"} {
				_, err := openStream(t.Context(), t, dial(t, addr, nil)).Recv()
				if s := status.Convert(err); s.Code() != codes.PermissionDenied || s.Message() != "xdsready: the peer is refused: a stranger" {
					t.Errorf("with the gate %s: %v, want PERMISSION_DENIED with Peer's text alone", gate, err)
				}
				r.open()
			}
		})
	}
}
