package main

import (
	"context"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"

	"github.com/xdsready/xdsready/pkg/xds/admission"
)

// gateReads is the question that every probe and every call asks.
var gateReads = benchmark{
	rows: []spec{
		{name: "gate/ready", what: "Registry.Ready", unit: "ns", peer: "bare atomic.Uint32",
			target: target{sense: atMost, limit: 2}},
		{name: "gate/open", what: "Registry.Open", unit: "ns", peer: "bool under an RWMutex",
			target: target{sense: atMost, limit: 2}},
		{name: "gate/check", what: "interceptor, what a gated call pays more than others", unit: "ns",
			target: target{sense: atMost, limit: 2}},
		{name: "gate/interceptor", what: "interceptor, all of it, gated call", unit: "ns",
			peer: "call that is not gated"},
		{name: "gate/allocs", what: "Ready, Open and the interceptor together", unit: "allocs",
			target: target{sense: atMost, limit: 0}},
	},
	run: runGateReads,
}

// A gated and an ungated call go the same way through the interceptor, but for
// the check: so the check is what the one takes longer than the other. The
// methods differ in the last letter that tells them apart, so that telling
// takes equally long.
const (
	gatedMethod   = "/envoy.service.discovery.v3.AggregatedDiscoveryService/Fetch"
	ungatedMethod = "/envoy.servicx.discovery.v3.AggregatedDiscoveryService/Fetch"
)

func runGateReads(ctx context.Context, p *progress, s scale) ([]measurement, error) {
	r := startOpenRegistry(1)
	defer r.stop()
	interceptor, err := interceptorOf(ctx, admission.ServerOptions(r.Registry))
	if err != nil {
		return nil, err
	}
	gated, ungated := callThrough(ctx, interceptor, gatedMethod), callThrough(ctx, interceptor, ungatedMethod)
	readReady := func(n int) {
		for range n {
			if !r.Ready() {
				panic("the gate is open, but Ready says no")
			}
		}
	}
	readOpen := func(n int) {
		for range n {
			if !r.Open() {
				panic("the gate is open, but Open says no")
			}
		}
	}
	medians, err := alternate(ctx, p, s.loops,
		perCall(s.loop, readReady), perCall(s.loop, readAtomic),
		perCall(s.loop, readOpen), perCall(s.loop, readRWMutex),
		perCall(s.loop, gated), perCall(s.loop, ungated))
	if err != nil {
		return nil, err
	}
	allocations := 0.0
	for _, loop := range []func(int){readReady, readOpen, gated} {
		allocations += allocationsPerCall(loop)
	}
	ns := func(i int) float64 { return medians[i][0] }
	return []measurement{
		{ours: ns(0), peer: ns(1)},
		{ours: ns(2), peer: ns(3)},
		{ours: max(ns(4)-ns(5), 0)}, // less than the noise may come out below 0
		{ours: ns(4), peer: ns(5)},
		{ours: allocations},
	}, nil
}

// callThrough returns a loop of calls of a method through an interceptor, to a
// handler that does nothing.
func callThrough(ctx context.Context, interceptor grpc.UnaryServerInterceptor, method string) func(n int) {
	info := &grpc.UnaryServerInfo{FullMethod: method}
	handler := func(context.Context, any) (any, error) { return nil, nil }
	return func(n int) {
		for range n {
			if _, err := interceptor(ctx, nil, info, handler); err != nil {
				panic(err)
			}
		}
	}
}

// interceptorOf returns the unary interceptor that a server has by these
// options, to be called without a network. gRPC shows it to the code that is
// generated for a method and to nobody else, so this is the code of a method,
// and calls it once.
func interceptorOf(ctx context.Context, options []grpc.ServerOption) (grpc.UnaryServerInterceptor, error) {
	found := make(chan grpc.UnaryServerInterceptor, 1)
	server := grpc.NewServer(options...)
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "bench",
		HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{
			MethodName: "Show",
			Handler: func(_ any, _ context.Context, _ func(any) error, i grpc.UnaryServerInterceptor) (any, error) {
				found <- i
				return &discoveryv3.DiscoveryResponse{}, nil
			},
		}},
	}, nil)
	address, stop, err := serve(ctx, server, unwrapped)
	if err != nil {
		return nil, err
	}
	defer stop()
	connection, err := connect(ctx, address)
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	err = connection.Invoke(ctx, "/bench/Show", &discoveryv3.DiscoveryRequest{}, &discoveryv3.DiscoveryResponse{})
	if err != nil {
		return nil, err
	}
	return <-found, nil
}
