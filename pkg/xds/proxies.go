package xds

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/peer"
)

// Transport is the variant of the protocol that a stream speaks.
type Transport string

// The transports.
const (
	SotW  Transport = "sotw"
	Delta Transport = "delta"
)

// Proxy is the state of one xDS stream. A proxy that uses the per-type services
// has one stream, so one Proxy, for each type.
type Proxy struct {
	NodeID    string
	Group     string // its node group; empty before its first message
	Address   string // of the peer
	Transport Transport
	Since     time.Time // the stream was opened
	Types     []TypeState
}

// TypeState is the state of one resource type on a stream.
type TypeState struct {
	TypeURL string
	Sent    string // version last sent; empty: nothing yet
	Acked   string // version last acknowledged
	NACK    string // Envoy's message for the version last sent, if it was rejected
}

// Converged reports whether all that was sent has been acknowledged, and
// something has been.
func (p Proxy) Converged() bool {
	return len(p.Types) > 0 && !slices.ContainsFunc(p.Types, func(t TypeState) bool {
		return t.Sent == "" || t.Sent != t.Acked
	})
}

// streamKey names a stream: go-control-plane numbers both transports from 1.
type streamKey struct {
	transport Transport
	id        int64
}

// stream is a Proxy in the making.
type stream struct {
	ended <-chan struct{} // closed when the proxy hangs up
	proxy Proxy
	named bool // its first message, with the node, has come
	types map[string]*typeState
}

type typeState struct {
	TypeState
	nonce string // of the response last sent
}

// proxies are the connected streams, kept up to date by the callbacks.
type proxies struct {
	mu      sync.Mutex // guards streams and what they point to
	streams map[streamKey]*stream
}

func (p *proxies) open(ctx context.Context, key streamKey) {
	s := &stream{ended: ctx.Done(), types: map[string]*typeState{}}
	s.proxy = Proxy{Transport: key.transport, Since: time.Now()}
	if from, ok := peer.FromContext(ctx); ok {
		s.proxy.Address = from.Addr.String()
	}
	p.mu.Lock()
	p.streams[key] = s
	p.mu.Unlock()
}

func (p *proxies) close(key streamKey) {
	p.mu.Lock()
	delete(p.streams, key)
	p.mu.Unlock()
}

// request records a subscription, an ACK or a NACK. It returns the stream's
// end and group, and whether this is its first message.
func (p *proxies) request(key streamKey, node *corev3.Node, group func(*corev3.Node) string,
	typeURL, nonce string, fault *status.Status,
) (ended <-chan struct{}, name string, first bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, ok := p.streams[key]
	if !ok {
		return nil, "", false
	}
	if !s.named {
		s.named, first = true, true
		s.proxy.NodeID, s.proxy.Group = node.GetId(), group(node)
	}
	t := s.typeLocked(typeURL)
	if nonce != "" && nonce == t.nonce { // a stale nonce says nothing about what was sent last
		if fault == nil {
			t.Acked, t.NACK = t.Sent, ""
		} else {
			t.NACK = fault.GetMessage()
		}
	}
	return s.ended, s.proxy.Group, first
}

// response records what was sent.
func (p *proxies) response(key streamKey, typeURL, version, nonce string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s, ok := p.streams[key]; ok {
		t := s.typeLocked(typeURL)
		if version != t.Sent { // go-control-plane offers what was rejected again
			t.NACK = ""
		}
		t.Sent, t.nonce = version, nonce
	}
}

func (s *stream) typeLocked(typeURL string) *typeState {
	t, ok := s.types[typeURL]
	if !ok {
		t = &typeState{TypeState: TypeState{TypeURL: typeURL}}
		s.types[typeURL] = t
	}
	return t
}

// Proxies returns the connected streams, sorted by node, address and transport.
func (s *Server) Proxies() []Proxy {
	s.proxies.mu.Lock()
	defer s.proxies.mu.Unlock()
	list := make([]Proxy, 0, len(s.proxies.streams))
	for _, stream := range s.proxies.streams {
		p := stream.proxy
		for _, typeURL := range slices.Sorted(maps.Keys(stream.types)) {
			p.Types = append(p.Types, stream.types[typeURL].TypeState)
		}
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b Proxy) int {
		return cmp.Or(cmp.Compare(a.NodeID, b.NodeID), cmp.Compare(a.Address, b.Address),
			cmp.Compare(a.Transport, b.Transport), a.Since.Compare(b.Since))
	})
	return list
}

// callbacks feed the proxies and hold streams of unknown groups.
type callbacks struct{ *Server }

func (c callbacks) request(key streamKey, node *corev3.Node, typeURL, nonce string, fault *status.Status) error {
	ended, group, first := c.proxies.request(key, node, c.options.Group, typeURL, nonce, fault)
	if !first {
		return nil
	}
	return c.unknown.await(ended, group)
}

// OnStreamOpen implements go-control-plane's callbacks, as do those below.
func (c callbacks) OnStreamOpen(ctx context.Context, id int64, _ string) error {
	c.proxies.open(ctx, streamKey{SotW, id})
	return nil
}

// OnStreamClosed forgets the stream.
func (c callbacks) OnStreamClosed(id int64, _ *corev3.Node) { c.proxies.close(streamKey{SotW, id}) }

// OnStreamRequest holds the stream at its first message if its group is unknown.
func (c callbacks) OnStreamRequest(id int64, r *discovery.DiscoveryRequest) error {
	return c.request(streamKey{SotW, id}, r.GetNode(), r.GetTypeUrl(), r.GetResponseNonce(), r.GetErrorDetail())
}

// OnStreamResponse records what is sent.
func (c callbacks) OnStreamResponse(_ context.Context, id int64, _ *discovery.DiscoveryRequest, r *discovery.DiscoveryResponse) {
	c.proxies.response(streamKey{SotW, id}, r.GetTypeUrl(), r.GetVersionInfo(), r.GetNonce())
}

// OnDeltaStreamOpen is OnStreamOpen for delta.
func (c callbacks) OnDeltaStreamOpen(ctx context.Context, id int64, _ string) error {
	c.proxies.open(ctx, streamKey{Delta, id})
	return nil
}

// OnDeltaStreamClosed is OnStreamClosed for delta.
func (c callbacks) OnDeltaStreamClosed(id int64, _ *corev3.Node) {
	c.proxies.close(streamKey{Delta, id})
}

// OnStreamDeltaRequest is OnStreamRequest for delta.
func (c callbacks) OnStreamDeltaRequest(id int64, r *discovery.DeltaDiscoveryRequest) error {
	return c.request(streamKey{Delta, id}, r.GetNode(), r.GetTypeUrl(), r.GetResponseNonce(), r.GetErrorDetail())
}

// OnStreamDeltaResponse is OnStreamResponse for delta.
func (c callbacks) OnStreamDeltaResponse(id int64, _ *discovery.DeltaDiscoveryRequest, r *discovery.DeltaDiscoveryResponse) {
	c.proxies.response(streamKey{Delta, id}, r.GetTypeUrl(), r.GetSystemVersionInfo(), r.GetNonce())
}

// OnFetchRequest holds a REST request of an unknown group too.
func (c callbacks) OnFetchRequest(ctx context.Context, r *discovery.DiscoveryRequest) error {
	return c.unknown.await(ctx.Done(), c.options.Group(r.GetNode()))
}

// OnFetchResponse does nothing: there is no stream to record it on.
func (c callbacks) OnFetchResponse(*discovery.DiscoveryRequest, *discovery.DiscoveryResponse) {}
