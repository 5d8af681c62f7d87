package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
)

// adsStream and adsClient are the two ends of an xDS stream.
type (
	adsStream = discoveryv3.AggregatedDiscoveryService_StreamAggregatedResourcesServer
	adsClient = discoveryv3.AggregatedDiscoveryService_StreamAggregatedResourcesClient
)

// adsServer serves xDS streams with a function.
type adsServer struct {
	discoveryv3.UnimplementedAggregatedDiscoveryServiceServer
	handle func(adsStream) error
}

func (s adsServer) StreamAggregatedResources(stream adsStream) error { return s.handle(stream) }

// serve serves on a TCP port of the loopback interface, which costs what a real
// connection does, and returns its address. stop ends all streams and waits.
func serve(ctx context.Context, server *grpc.Server, wrap func(net.Listener) net.Listener) (address string, stop func(), err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(wrap(listener)) // ends with stop; before that a client would notice
	}()
	return listener.Addr().String(), func() { server.Stop(); <-ended }, nil
}

// unwrapped is what serve gets for a server that has no listener of its own.
func unwrapped(listener net.Listener) net.Listener { return listener }

// connect returns an established connection to a server of serve.
func connect(ctx context.Context, address string) (*grpc.ClientConn, error) {
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errStuck)
	defer cancel()
	connection.Connect()
	for state := connection.GetState(); state != connectivity.Ready; state = connection.GetState() {
		if !connection.WaitForStateChange(ctx, state) {
			_ = connection.Close()
			return nil, fmt.Errorf("connecting to %s: %w", address, context.Cause(ctx))
		}
	}
	return connection, nil
}

// openStream opens an xDS stream and sends its first message.
func openStream(ctx context.Context, connection *grpc.ClientConn, first *discoveryv3.DiscoveryRequest) (adsClient, error) {
	stream, err := discoveryv3.NewAggregatedDiscoveryServiceClient(connection).StreamAggregatedResources(ctx)
	if err != nil {
		return nil, err
	}
	return stream, stream.Send(first)
}

// patience is how long one wait may last before the run is given up.
const patience = time.Minute

var errStuck = errors.New("nothing happened for 1 min")

// until waits for a condition that no event announces, by looking every 0.1 ms.
// It is not for what is measured.
func until(ctx context.Context, holds func() bool) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errStuck)
	defer cancel()
	ticker := time.NewTicker(100 * time.Microsecond)
	defer ticker.Stop()
	for !holds() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
