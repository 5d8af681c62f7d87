package main

import (
	"sync/atomic"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/grpc"
)

// plainServer is the least that an xDS server does: it answers the first request
// for each type, ignores ACKs, and pushes one changed load assignment. It keeps
// no order, knows no versions and believes every proxy.
type plainServer struct {
	receive func(grpc.ServerStream) (ask, error)
	current atomic.Pointer[answers]
}

// ask is what a plain server looks at in a request.
type ask struct {
	group    string // in the first request of a stream
	typeURL  string
	accepted bool // it answers a response
}

// answers are those of one edition: messages for the codec of the server.
type answers struct {
	first    func(group, typeURL string) any
	change   func() any    // for those who have the edition before
	replaced chan struct{} // closed when there is a newer edition
}

func newAnswers(first func(group, typeURL string) any, change func() any) *answers {
	return &answers{first: first, change: change, replaced: make(chan struct{})}
}

// publish hands an edition to all streams.
func (s *plainServer) publish(a *answers) {
	if before := s.current.Swap(a); before != nil {
		close(before.replaced)
	}
}

// register adds the server to a gRPC server.
func (s *plainServer) register(r *grpc.Server) {
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(r, eitherStream{handle: s.handle})
}

// handle serves a stream: one goroutine receives, this one sends.
func (s *plainServer) handle(stream grpc.ServerStream) error {
	asks, ended := make(chan ask), make(chan error, 1)
	go func() {
		for {
			request, err := s.receive(stream)
			if err != nil {
				ended <- err
				return
			}
			if request.accepted {
				continue
			}
			select {
			case asks <- request:
			case <-stream.Context().Done():
			}
		}
	}()
	group := ""
	latest := s.current.Load()
	subscribed := false
	for {
		var err error
		select {
		case request := <-asks:
			if request.group != "" {
				group = request.group
			}
			subscribed = subscribed || request.typeURL == resourcev3.EndpointType
			err = stream.SendMsg(latest.first(group, request.typeURL))
		case <-latest.replaced:
			latest = s.current.Load()
			if subscribed {
				err = stream.SendMsg(latest.change())
			}
		case err = <-ended:
		}
		if err != nil {
			return err
		}
	}
}

// receiveDecoded returns a function that receives a request as grpc-go does.
func receiveDecoded(isDelta bool) func(grpc.ServerStream) (ask, error) {
	if isDelta {
		return func(stream grpc.ServerStream) (ask, error) {
			var r discoveryv3.DeltaDiscoveryRequest
			err := stream.RecvMsg(&r)
			return ask{group: r.GetNode().GetCluster(), typeURL: r.GetTypeUrl(), accepted: r.GetResponseNonce() != ""}, err
		}
	}
	return func(stream grpc.ServerStream) (ask, error) {
		var r discoveryv3.DiscoveryRequest
		err := stream.RecvMsg(&r)
		return ask{group: r.GetNode().GetCluster(), typeURL: r.GetTypeUrl(), accepted: r.GetResponseNonce() != ""}, err
	}
}
