package main

import (
	"context"
	"math/rand/v2"
	"net"
	"runtime"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"

	"github.com/xdsready/xdsready/pkg/xds/admission"
)

// openings is the time from the last signal of a control plane to its first
// held stream, over gRPC on loopback TCP.
var openings = benchmark{
	rows: []spec{
		{name: "opening/handler", what: "last of 200 signals to the held stream's handler, p99", unit: "ms",
			peer: "polled every 5 ms", target: target{sense: atMost, limit: 1}},
		{name: "opening/handler-100ms", what: "last of 200 signals to the held stream's handler, p99", unit: "ms",
			peer: "polled every 100 ms", target: target{sense: atMost, limit: 1}},
		{name: "opening/client", what: "last of 200 signals to the client's first response, p99", unit: "ms",
			peer: "polled every 5 ms"},
	},
	run: runOpenings,
}

func runOpenings(ctx context.Context, p *progress, s scale) ([]measurement, error) {
	medians, err := alternate(ctx, p, s.rounds,
		openMany(s.openings, func() (*shutGate, error) { return shutOurs(s.checks) }),
		openMany(s.polledOpenings, func() (*shutGate, error) { return shutPolled(s.checks, 5*time.Millisecond), nil }),
		openMany(s.polledOpenings, func() (*shutGate, error) { return shutPolled(s.checks, 100*time.Millisecond), nil }))
	if err != nil {
		return nil, err
	}
	const handler, client = 0, 1
	ours, polled5, polled100 := medians[0], medians[1], medians[2]
	return []measurement{
		{ours: ours[handler], peer: polled5[handler]},
		{ours: ours[handler], peer: polled100[handler]},
		{ours: ours[client], peer: polled5[client]},
	}, nil
}

// shutGate is a gate that lacks one signal.
type shutGate struct {
	options []grpc.ServerOption // put the gate in front of a server
	wrap    func(net.Listener) net.Listener
	held    func() int    // streams that wait at it
	report  func()        // gives the signal
	idle    time.Duration // the signal comes within this time after the stream, at random
	stop    func()        // the server has stopped
}

// shutOurs returns ours with that many checks.
func shutOurs(checks int) (*shutGate, error) {
	r := startRegistry(checks)
	last := checks - 1
	for _, synced := range r.signals[:last] {
		synced()
	}
	a, err := admission.New(r.Registry, admission.Options{Mode: admission.Hold})
	if err != nil {
		r.stop()
		return nil, err
	}
	return &shutGate{
		options: a.ServerOptions(),
		wrap:    a.Listener,
		held:    heldBy(a),
		report:  r.signals[last],
		idle:    5 * time.Millisecond,
		stop:    r.stop,
	}, nil
}

// heldBy returns how many streams a holds, read off its metrics as everybody
// can.
func heldBy(a *admission.Admission) func() int {
	metrics := prometheus.NewRegistry()
	if err := metrics.Register(a); err != nil {
		panic(err) // a new registry has nothing else
	}
	return func() int {
		families, err := metrics.Gather()
		if err != nil {
			panic(err) // the metrics of one collector contradict each other
		}
		for _, family := range families {
			if family.GetName() != "xdsready_streams" {
				continue
			}
			for _, metric := range family.GetMetric() {
				if metric.GetLabel()[0].GetValue() == "held" {
					return int(metric.GetGauge().GetValue())
				}
			}
		}
		panic("the metric xdsready_streams{state=held} is gone")
	}
}

// openMany returns a subject that opens that many gates one after the other and
// measures, in milliseconds, the 99th percentile of the time until the handler
// was called and of the time until the client knew.
func openMany(openings int, shut func() (*shutGate, error)) subject {
	return func(ctx context.Context) ([]float64, error) {
		var handler, client []float64
		for range openings {
			gate, err := shut()
			if err != nil {
				return nil, err
			}
			toHandler, toClient, err := open(ctx, gate)
			gate.stop()
			if err != nil {
				return nil, err
			}
			handler = append(handler, milliseconds(toHandler))
			client = append(client, milliseconds(toClient))
		}
		return []float64{percentile(handler, 99), percentile(client, 99)}, nil
	}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// open holds one stream at the gate, gives the last signal and measures how
// long the handler and the client take to learn of it.
func open(ctx context.Context, gate *shutGate) (toHandler, toClient time.Duration, err error) {
	entered := make(chan time.Time, 1)
	server := grpc.NewServer(gate.options...)
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(server, adsServer{handle: func(stream adsStream) error {
		entered <- time.Now()
		return stream.Send(&discoveryv3.DiscoveryResponse{})
	}})
	address, stop, err := serve(ctx, server, gate.wrap)
	if err != nil {
		return 0, 0, err
	}
	defer stop()
	connection, err := connect(ctx, address)
	if err != nil {
		return 0, 0, err
	}
	defer connection.Close()
	stream, err := openStream(ctx, connection, &discoveryv3.DiscoveryRequest{})
	if err != nil {
		return 0, 0, err
	}
	if err := until(ctx, func() bool { return gate.held() == 1 }); err != nil {
		return 0, 0, err
	}
	runtime.GC() // or the garbage of connecting, which no start makes in this second, is collected while we measure
	// Signals come at any time: without a pause they would all come right after
	// a tick of a polling gate, and find every goroutine awake.
	<-time.After(rand.N(gate.idle))

	signalled := time.Now()
	gate.report()
	if _, err := stream.Recv(); err != nil {
		return 0, 0, err
	}
	return (<-entered).Sub(signalled), time.Since(signalled), nil
}
