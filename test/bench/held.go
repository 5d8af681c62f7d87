package main

import (
	"context"
	"fmt"
	"sync"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
)

// heldStreams is what a proxy costs that waits at the shut gate, beside a proxy
// that waits in a handler of a plain server for something to change.
var heldStreams = benchmark{
	rows: []spec{
		{name: "held/memory", what: "one of 10,000 held streams, heap and stacks", unit: "KiB",
			peer: "idle grpc-go stream", target: target{sense: atMost, ofRatio: true, limit: 1.2}},
		{name: "held/rss", what: "one of 10,000 held streams, resident set", unit: "KiB",
			peer: "idle grpc-go stream", target: target{sense: atMost, ofRatio: true, limit: 1.2}},
		{name: "held/envoy", what: "one of 1,000 held streams, first message 61 KB as of Envoy", unit: "KiB",
			peer: "idle grpc-go stream"},
	},
	run: runHeldStreams,
}

func runHeldStreams(ctx context.Context, p *progress, s scale) ([]measurement, error) {
	small := &discoveryv3.DiscoveryRequest{Node: &corev3.Node{Id: "gateway-5d4f9c7b8-x2x7k", Cluster: "gateway"}}
	memory, err := alternate(ctx, p, s.rounds,
		memoryPerStream(serveHeld, s.streams, s.connections, small),
		memoryPerStream(serveIdle, s.streams, s.connections, small))
	if err != nil {
		return nil, err
	}
	envoy, err := alternate(ctx, p, s.rounds,
		memoryPerStream(serveHeld, s.bigStreams, s.connections, likeEnvoy()),
		memoryPerStream(serveIdle, s.bigStreams, s.connections, likeEnvoy()))
	if err != nil {
		return nil, err
	}
	const inUse, resident = 0, 1
	ours, theirs := memory[0], memory[1]
	return []measurement{
		{ours: ours[inUse], peer: theirs[inUse]},
		{ours: ours[resident], peer: theirs[resident]},
		{ours: envoy[0][inUse], peer: envoy[1][inUse]},
	}, nil
}

// likeEnvoy returns a first message like that of Envoy 1.40: 61 KB, because its
// node names each of the 516 extensions that are linked in.
func likeEnvoy() *discoveryv3.DiscoveryRequest {
	node := &corev3.Node{Id: "gateway-5d4f9c7b8-x2x7k", Cluster: "gateway"}
	for i := range 516 {
		node.Extensions = append(node.Extensions, &corev3.Extension{
			Name:     fmt.Sprintf("envoy.filters.http.extension_%03d", i),
			Category: "envoy.filters.http",
			TypeUrls: []string{fmt.Sprintf("envoy.extensions.filters.http.extension_%03d.v3.Configuration", i)},
		})
	}
	return &discoveryv3.DiscoveryRequest{Node: node}
}

// memoryPerStream returns a subject that measures in a server process how much
// memory, in use and resident, a waiting stream takes, in KiB. Connections are
// shared and not counted in.
func memoryPerStream(kind string, streams, connections int, first *discoveryv3.DiscoveryRequest) subject {
	return func(ctx context.Context) (numbers []float64, err error) {
		server, err := startServer(ctx, serverArgument, kind)
		if err != nil {
			return nil, err
		}
		defer func() {
			if stopErr := server.stop(); err == nil {
				err = stopErr
			}
		}()
		var clients []*grpc.ClientConn
		defer func() {
			for _, connection := range clients {
				_ = connection.Close()
			}
		}()
		for range connections {
			connection, err := connect(ctx, server.address)
			if err != nil {
				return nil, err
			}
			clients = append(clients, connection)
		}
		before, err := server.measure(0)
		if err != nil {
			return nil, err
		}
		if err := openStreams(ctx, clients, streams, first); err != nil {
			return nil, err
		}
		after, err := server.measure(streams)
		if err != nil {
			return nil, err
		}
		perStream := func(before, after uint64) float64 {
			return (float64(after) - float64(before)) / 1024 / float64(streams)
		}
		return []float64{perStream(before.InUse, after.InUse), perStream(before.Resident, after.Resident)}, nil
	}
}

// openStreams opens streams, in equal parts on the connections; they end with
// their connection.
func openStreams(ctx context.Context, connections []*grpc.ClientConn, streams int, first *discoveryv3.DiscoveryRequest) error {
	errs := make([]error, len(connections))
	var opening sync.WaitGroup
	for i, connection := range connections {
		opening.Go(func() {
			for n := i; n < streams && errs[i] == nil; n += len(connections) {
				_, errs[i] = openStream(ctx, connection, first)
			}
		})
	}
	opening.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
