package admission

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/xdsready/xdsready/pkg/xds/internal/redact"
)

// stream is a gated stream that was admitted: it checks who the proxy is and
// observes how far it has come.
type stream struct {
	grpc.ServerStream
	// Set once.
	admission  *Admission
	fullMethod string

	// Only used by the goroutine that receives; gRPC allows but one. It may
	// outlive the handler, as go-control-plane's does.
	node    Node
	named   bool // node was named, and authorized if that was asked for
	tracked bool // a discovery request was seen: the tracker was told

	// Guarded by the tracker's lock.
	group string
	ended bool // the handler has returned

	mu       sync.Mutex // guards the following; taken inside the tracker's
	cleared  bool       // the handler may send
	denial   error      // the status that ends the stream
	progress progress
}

func newStream(a *Admission, ss grpc.ServerStream, fullMethod string, began time.Time) *stream {
	return &stream{
		ServerStream: ss,
		admission:    a,
		fullMethod:   fullMethod,
		cleared:      a.options.Authorize == nil,
		progress: progress{
			ads:   strings.Contains(fullMethod, ".AggregatedDiscoveryService/"),
			began: began,
		},
	}
}

// RecvMsg receives the proxy's next message, or returns PERMISSION_DENIED for
// one that the proxy may not send, and from then on.
func (s *stream) RecvMsg(message any) error {
	if err := s.denied(); err != nil {
		return err
	}
	if err := s.ServerStream.RecvMsg(message); err != nil {
		return err
	}
	if err := s.identify(message); err != nil {
		s.mu.Lock()
		s.denial, s.cleared = err, false
		s.mu.Unlock()
		return err
	}
	if r, ok := readRequest(message, s.fullMethod); ok {
		s.observeRequest(r)
	}
	return nil
}

// SendMsg sends a message to the proxy. With Options.Authorize it sends nothing
// before the proxy has named a node that it may be.
func (s *stream) SendMsg(message any) error {
	s.mu.Lock()
	cleared := s.cleared
	s.mu.Unlock()
	if !cleared {
		return s.denySend()
	}
	if r, ok := readResponse(message, s.fullMethod); ok {
		s.observeResponse(r)
	}
	return s.ServerStream.SendMsg(message)
}

// identify takes the node from a message and returns an error if the stream may
// not go on.
func (s *stream) identify(message any) error {
	a := s.admission
	if s.named && a.options.Authorize == nil {
		return nil
	}
	node, present := nodeOf(message)
	switch {
	case s.named && present && !s.node.same(node):
		return a.deny(node, errOtherNode)
	case s.named:
		return nil
	}
	if err := a.authorize(s.Context(), node); err != nil {
		return err
	}
	s.node, s.named = node, node != (Node{})
	s.mu.Lock()
	s.cleared = true
	s.mu.Unlock()
	return nil
}

// denySend returns the status of a stream that may not send, and makes it
// final: a handler that sends before it knows the proxy gets no second chance.
func (s *stream) denySend() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.denial == nil {
		s.denial = s.admission.deny(Node{}, errNoNode)
	}
	return s.denial
}

func (s *stream) denied() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.denial
}

func (s *stream) observeRequest(r request) {
	m := s.admission.metrics
	if !s.tracked {
		s.tracked = true
		s.admission.streams.add(s, s.admission.options.Group(s.node))
	}
	if r.rejected {
		m.nack(r.resource)
		s.admission.options.Logger.LogAttrs(context.Background(), slog.LevelWarn, "proxy rejected a response",
			slog.String("node", s.node.ID), slog.String("type", r.resource.String()), slog.String("error", redact.Rejection(r.rejection)))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m.observe(s.progress.onRequest(time.Now(), r))
}

// observeResponse comes before the send, because the ACK may come before the
// send returns.
func (s *stream) observeResponse(r response) {
	m := s.admission.metrics
	m.response(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	m.observe(s.progress.onResponse(time.Now(), r))
}

// end is called when the handler has returned.
func (s *stream) end() {
	s.admission.streams.end(s)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.admission.metrics.observe(s.progress.finish())
}
