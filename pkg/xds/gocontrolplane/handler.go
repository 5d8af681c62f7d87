package gocontrolplane

import (
	"context"
	"sync/atomic"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	streamv3 "github.com/envoyproxy/go-control-plane/pkg/server/stream/v3"
	serverv3 "github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"

	"github.com/xdsready/xdsready/pkg/xds"
)

// handler serves the streams. It stands where go-control-plane has its SotW and
// its delta server.
type handler struct {
	server    *xds.Server
	callbacks serverv3.Callbacks
	groups    *groups
	opened    atomic.Int64 // streams so far; the last one's number
}

// StreamHandler serves a SotW stream of one type, or of all types (ADS) if that
// is empty.
func (h *handler) StreamHandler(s streamv3.Stream, typeURL string) error {
	c := calls[*discovery.DiscoveryRequest, *discovery.DiscoveryResponse]{
		open: h.callbacks.OnStreamOpen, closed: h.callbacks.OnStreamClosed,
		request: h.callbacks.OnStreamRequest, response: h.callbacks.OnStreamResponse,
		complete: func(q *discovery.DiscoveryRequest, node *corev3.Node, typeURL string) {
			q.Node, q.TypeUrl = node, typeURL
		},
	}
	if f, ok := h.callbacks.(serverv3.CallbackFuncs); ok && f.StreamResponseFunc == nil {
		c.response = nil
	}
	return serve(h, c, s, typeURL, false)
}

// DeltaStreamHandler is StreamHandler for delta.
func (h *handler) DeltaStreamHandler(s streamv3.DeltaStream, typeURL string) error {
	c := calls[*discovery.DeltaDiscoveryRequest, *discovery.DeltaDiscoveryResponse]{
		open: h.callbacks.OnDeltaStreamOpen, closed: h.callbacks.OnDeltaStreamClosed,
		request: h.callbacks.OnStreamDeltaRequest,
		response: func(_ context.Context, id int64, q *discovery.DeltaDiscoveryRequest, r *discovery.DeltaDiscoveryResponse) {
			h.callbacks.OnStreamDeltaResponse(id, q, r)
		},
		complete: func(q *discovery.DeltaDiscoveryRequest, node *corev3.Node, typeURL string) {
			q.Node, q.TypeUrl = node, typeURL
		},
	}
	if f, ok := h.callbacks.(serverv3.CallbackFuncs); ok && f.StreamDeltaResponseFunc == nil {
		c.response = nil
	}
	return serve(h, c, s, typeURL, true)
}

// serve runs one stream, from its first callback to its last.
func serve[Q request, R response](h *handler, c calls[Q, R], s grpc.ServerStream, typeURL string, delta bool) error {
	o := &observed[Q, R]{
		ServerStream: s, typeURL: typeURL, calls: c, id: h.opened.Add(1), groups: h.groups,
		node: &corev3.Node{}, last: map[string]Q{},
	}
	defer o.close()
	if err := c.open(s.Context(), o.id, typeURL); err != nil {
		return err
	}
	return h.server.ServeStream(typeURL, delta, o)
}
