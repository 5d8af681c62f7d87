package gocontrolplane

import (
	"context"
	"sync"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// request and response are what the two variants of xDS have in common.
type (
	request interface {
		proto.Message
		GetNode() *corev3.Node
		GetTypeUrl() string
	}
	response interface {
		proto.Message
		GetTypeUrl() string
	}
)

// calls are the callbacks of one variant.
type calls[Q request, R response] struct {
	open    func(ctx context.Context, id int64, typeURL string) error
	closed  func(id int64, node *corev3.Node)
	request func(id int64, q Q) error
	// response may be nil: then responses need not be decoded.
	response func(ctx context.Context, id int64, q Q, r R)
	// complete adds what a request may leave out.
	complete func(q Q, node *corev3.Node, typeURL string)
}

// observed is a stream whose messages go through the callbacks.
type observed[Q request, R response] struct {
	grpc.ServerStream
	typeURL string // of all requests; "" for ADS
	calls   calls[Q, R]
	id      int64
	groups  *groups

	// mu guards all below, and is held during each callback: the server reads
	// and writes in different goroutines, callbacks expect one.
	mu     sync.Mutex
	closed bool
	node   *corev3.Node // the last that a request had; empty until then
	joined *follower    // nil until the first request
	last   map[string]Q // the last request of each type, for calls.response
}

// errEnded is for a goroutine of the server that outlives its stream: no callback
// comes after the one that says that the stream has closed.
var errEnded = status.Error(codes.Canceled, "the stream has ended")

// RecvMsg receives a request, asks the callback, and sees that the node's group
// is followed before the server sees the request.
func (s *observed[Q, R]) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	q, ok := m.(Q)
	if !ok {
		return status.Errorf(codes.Internal, "a request is received as %T", m)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errEnded
	}
	s.completeLocked(q)
	if err := s.calls.request(s.id, q); err != nil {
		return err // the server ends the stream with it
	}
	if s.calls.response != nil {
		s.last[q.GetTypeUrl()] = copyOf(q) // the server may change its own
	}
	if s.joined == nil {
		s.joined = s.groups.join(q.GetNode())
	}
	return nil
}

// completeLocked adds the node, which only a stream's first request must have,
// and the type, which per-type streams may leave out.
func (s *observed[Q, R]) completeLocked(q Q) {
	if q.GetNode() != nil {
		s.node = q.GetNode()
	}
	typeURL := q.GetTypeUrl()
	if typeURL == "" {
		typeURL = s.typeURL
	}
	s.calls.complete(q, s.node, typeURL)
}

// SendMsg shows the response to the callback and sends it.
func (s *observed[Q, R]) SendMsg(m any) error {
	if pieces, ok := m.(interface{ Joined() proto.Message }); ok && s.calls.response != nil {
		m = pieces.Joined()
	}
	if r, ok := m.(R); ok && s.calls.response != nil {
		if err := s.show(r); err != nil {
			return err
		}
	}
	return s.ServerStream.SendMsg(m)
}

func (s *observed[Q, R]) show(r R) error {
	shown, err := decoded(r)
	if err != nil {
		return status.Errorf(codes.Internal, "decoding a response for a callback: %v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errEnded
	}
	s.calls.response(s.Context(), s.id, s.last[r.GetTypeUrl()], shown)
	return nil
}

// decoded returns a response with its resources, which the server puts into the
// unknown fields of r, encoded as they are.
func decoded[R response](r R) (R, error) {
	shown := copyOf(r)
	shown.ProtoReflect().SetUnknown(nil)
	return shown, proto.UnmarshalOptions{Merge: true}.Unmarshal(r.ProtoReflect().GetUnknown(), shown)
}

// close calls the last callback.
func (s *observed[Q, R]) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.joined != nil {
		s.groups.leave(s.joined)
	}
	s.calls.closed(s.id, s.node)
}

func copyOf[M proto.Message](m M) M {
	c, _ := proto.Clone(m).(M) // Clone returns what it gets
	return c
}
