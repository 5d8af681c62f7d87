package main

import (
	"sync/atomic"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
)

// newIdleServer returns a server with no gate and the least that a handler of a
// subscription does: it takes the first message, keeps nothing of it and waits.
func newIdleServer() *streamServer {
	var waiting atomic.Int64
	s := &streamServer{
		grpc:    grpc.NewServer(),
		wrap:    unwrapped,
		waiting: func() int { return int(waiting.Load()) },
		stop:    func() {},
	}
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(s.grpc, adsServer{handle: func(stream adsStream) error {
		if _, err := stream.Recv(); err != nil {
			return err
		}
		waiting.Add(1)
		defer waiting.Add(-1)
		<-stream.Context().Done()
		return nil
	}})
	return s
}
