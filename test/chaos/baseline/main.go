// Command baseline is what xdsready is compared with in chaos runs: a control
// plane as many programs build it, with go-control-plane's server and its
// snapshot cache in ADS mode, fed from a directory.
//
// It stands for a control plane with informers: each event, here each file that
// has appeared or changed, leads to a new snapshot of all that is known so far;
// a file that does not parse keeps what it had. Beyond that it is as good as such
// programs get: versions are hashes of content, so that a restart does not
// change them, and only consistent snapshots are set.
//
//	baseline --source PATH --xds-address HOST:PORT                 no gate: it serves from its first moment
//	baseline --source PATH --xds-address HOST:PORT --gate process  streams are refused until the process is up
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	serverv3 "github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// The values of --gate.
const (
	noGate      = "none"
	processGate = "process"
)

func main() {
	source := flag.String("source", "", "directory of the configuration")
	address := flag.String("xds-address", "127.0.0.1:18000", "address of the xDS server")
	gate := flag.String("gate", noGate, "none, or process: refuse streams until the process is up")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := serve(ctx, *source, *address, *gate)
	stop()
	if err != nil {
		slog.Error("serving failed", "error", err)
		os.Exit(1)
	}
}

// serve serves the directory until ctx ends.
func serve(ctx context.Context, source, address, gate string) error {
	if gate != noGate && gate != processGate {
		return fmt.Errorf("--gate %s: it must be %s or %s", gate, noGate, processGate)
	}
	var up atomic.Bool // the process is
	up.Store(gate == noGate)
	snapshots := cachev3.NewSnapshotCache(true, everyNode{}, nil)
	server := grpc.NewServer(grpc.StreamInterceptor(
		func(service any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
			if !up.Load() {
				return status.Error(codes.Unavailable, "the process is not up")
			}
			return next(service, stream)
		}))
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(server, serverv3.NewServer(ctx, snapshots, nil))
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	var watching sync.WaitGroup
	failed := make(chan error, 1)
	watching.Go(func() {
		failed <- watch(ctx, source, snapshots, func() { up.Store(true) })
		server.Stop() // GracefulStop does not end while a proxy keeps its stream
	})
	err = server.Serve(listener)
	watching.Wait()
	return errors.Join(err, <-failed)
}
