package gocontrolplane

import (
	"context"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
)

// plainStream is a stream on which every message succeeds.
type plainStream struct {
	grpc.ServerStream
	ctx context.Context //nolint:containedctx // a stream has one
}

// Context returns the stream's context.
func (s plainStream) Context() context.Context { return s.ctx }

// SendMsg sends nothing.
func (plainStream) SendMsg(any) error { return nil }

// RecvMsg leaves the message empty.
func (plainStream) RecvMsg(any) error { return nil }

// TestNothingAfterClosed has a server that reads and writes once more after its
// stream has ended.
func TestNothingAfterClosed(t *testing.T) {
	var calls []string
	s := &observed[*discovery.DiscoveryRequest, *discovery.DiscoveryResponse]{
		ServerStream: plainStream{ctx: t.Context()},
		groups:       newGroups(t.Context(), cachev3.NewSnapshotCache(true, cachev3.IDHash{}, nil), Options{}.withDefaults()),
		last:         map[string]*discovery.DiscoveryRequest{},
	}
	s.calls.complete = func(*discovery.DiscoveryRequest, *corev3.Node, string) {}
	s.calls.request = func(int64, *discovery.DiscoveryRequest) error { calls = append(calls, "request"); return nil }
	s.calls.response = func(context.Context, int64, *discovery.DiscoveryRequest, *discovery.DiscoveryResponse) {
		calls = append(calls, "response")
	}
	s.calls.closed = func(int64, *corev3.Node) { calls = append(calls, "closed") }
	once := func() (received, sent error) {
		return s.RecvMsg(&discovery.DiscoveryRequest{}), s.SendMsg(&discovery.DiscoveryResponse{})
	}

	if received, sent := once(); received != nil || sent != nil {
		t.Errorf("while open: RecvMsg %v, SendMsg %v, want no error", received, sent)
	}
	s.close()
	if received, sent := once(); received == nil || sent == nil {
		t.Errorf("after close: RecvMsg %v, SendMsg %v, want errors", received, sent)
	}
	if diff := cmp.Diff([]string{"request", "response", "closed"}, calls); diff != "" {
		t.Errorf("callbacks (-want +got):\n%s", diff)
	}
}
