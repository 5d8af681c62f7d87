package xds

import (
	"context"
	"errors"
	"io"

	statusv3 "github.com/envoyproxy/go-control-plane/envoy/service/status/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// RegisterCSDS adds envoy.service.status.v3.ClientStatusDiscoveryService, which
// tells the state of every connected stream: one ClientConfig each, as
// Proxy.ClientConfig makes it. It asks for no identity, so r should be a server
// that only the machine itself can reach, not the one that proxies connect to.
func (s *Server) RegisterCSDS(r grpc.ServiceRegistrar) {
	statusv3.RegisterClientStatusDiscoveryServiceServer(r, csdsServer{s.Proxies})
}

// csdsServer answers what proxies returns.
type csdsServer struct{ proxies func() []Proxy }

// FetchClientStatus returns the proxies that match the request.
func (c csdsServer) FetchClientStatus(_ context.Context, r *statusv3.ClientStatusRequest) (*statusv3.ClientStatusResponse, error) {
	matches, err := nodeMatch(r)
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "xdsready: node_matchers: %v", err)
	}
	response := &statusv3.ClientStatusResponse{}
	for _, p := range c.proxies() {
		if config := p.ClientConfig(); matches(config.GetNode()) {
			response.Config = append(response.Config, config)
		}
	}
	return response, nil
}

// StreamClientStatus answers each request as FetchClientStatus does.
func (c csdsServer) StreamClientStatus(stream statusv3.ClientStatusDiscoveryService_StreamClientStatusServer) error {
	for {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		response, err := c.FetchClientStatus(stream.Context(), request)
		if err != nil {
			return err
		}
		if err := stream.Send(response); err != nil {
			return err
		}
	}
}
