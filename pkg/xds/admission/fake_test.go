package admission

import (
	"context"
	"fmt"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// The methods that the tests call.
const (
	sotwADS       = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources"
	deltaADS      = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
	sotwClusters  = "/envoy.service.cluster.v3.ClusterDiscoveryService/StreamClusters"
	deltaClusters = "/envoy.service.cluster.v3.ClusterDiscoveryService/DeltaClusters"
)

// fakeServerStream is a gRPC stream whose proxy has sent what is in inbound.
type fakeServerStream struct {
	grpc.ServerStream
	ctx     context.Context //nolint:containedctx // it stands for a stream, which has one
	inbound []proto.Message
	sent    int // messages to the proxy
}

func (s *fakeServerStream) Context() context.Context { return s.ctx }

func (s *fakeServerStream) RecvMsg(message any) error {
	if len(s.inbound) == 0 {
		return io.EOF
	}
	into, ok := message.(proto.Message)
	if !ok {
		return fmt.Errorf("a %T cannot be received", message)
	}
	proto.Merge(into, s.inbound[0])
	s.inbound = s.inbound[1:]
	return nil
}

func (s *fakeServerStream) SendMsg(any) error {
	s.sent++
	return nil
}
