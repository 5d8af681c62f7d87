package main

import (
	"context"
	"sync/atomic"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
)

// newBareFanout returns a server that receives what proxies send, keeps nothing
// of it and never answers: an idle stream of grpc-go cannot take less.
func newBareFanout(l load) (*fanoutServer, error) {
	receive := receiveDecoded(l.Delta)
	var messages atomic.Int64
	handle := func(stream grpc.ServerStream) error {
		for {
			if _, err := receive(stream); err != nil {
				return err
			}
			messages.Add(1)
		}
	}
	return &fanoutServer{
		register: func(r *grpc.Server) {
			discoveryv3.RegisterAggregatedDiscoveryServiceServer(r, eitherStream{handle: handle})
		},
		prepare: func(context.Context, edition) (func() error, error) {
			return func() error { return nil }, nil
		},
		settled: func() bool { return messages.Load() == int64(l.Proxies*len(subscribedTypes)) },
	}, nil
}
