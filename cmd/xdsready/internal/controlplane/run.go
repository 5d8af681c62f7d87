package controlplane

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"google.golang.org/grpc"
)

// shutdownTimeout bounds how long the HTTP and admin servers wait for answers under
// way.
const shutdownTimeout = 2 * time.Second

// part is one goroutine of the control plane: it runs until ctx ends.
type part struct {
	name string
	run  func(ctx context.Context) error
}

// parts lists all goroutines that a Plane owns.
func (p *Plane) parts() []part {
	parts := []part{
		{"readiness registry", p.registry.Start},
		{"source", p.source.Run},
		{"snapshot builder", p.builder.run},
		{"xDS publisher", p.server.Run},
		{"xDS server", func(ctx context.Context) error {
			p.listening()
			return serveGRPC(ctx, p.xdsServer, p.xdsListener)
		}},
		{"HTTP server", p.serveHTTP},
	}
	parts = append(parts, part{"cleaning up after the start", p.cleanUp})
	if p.adminServer != nil {
		parts = append(parts, part{"admin server", func(ctx context.Context) error {
			return serveAdmin(ctx, p.adminServer, p.adminListener)
		}})
	}
	if p.peers != nil {
		parts = append(parts, part{"peers", p.peers.Run})
	}
	if p.certificates != nil {
		parts = append(parts, part{"certificate watcher", p.certificates.Run})
	}
	return parts
}

// cleanUp gives back the memory that the start needed and nothing after it does.
func (p *Plane) cleanUp(ctx context.Context) error {
	if p.inputs.Tier("snapshot").Await(ctx) == nil {
		debug.FreeOSMemory()
	}
	return nil
}

// run runs the parts until ctx ends or one of them fails, and returns when all
// have ended.
func run(ctx context.Context, parts []part) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	errs := make([]error, len(parts))
	var running sync.WaitGroup
	for i, p := range parts {
		running.Go(func() {
			if err := p.run(ctx); err != nil {
				errs[i] = fmt.Errorf("%s: %w", p.name, err)
				stop(errStopped)
			}
		})
	}
	running.Wait()
	return errors.Join(errs...)
}

// serveGRPC serves until ctx ends. It stops at once: a graceful stop never ends
// while a proxy keeps its stream.
func serveGRPC(ctx context.Context, server *grpc.Server, listener net.Listener) error {
	stopped := context.AfterFunc(ctx, server.Stop)
	defer stopped()
	return server.Serve(listener)
}

// serveAdmin serves until ctx ends. It lets answers under way reach their reader:
// that of `xdsready drain` is that the drain is done.
func serveAdmin(ctx context.Context, server *grpc.Server, listener net.Listener) error {
	var stopping sync.WaitGroup
	defer stopping.Wait()
	stopping.Add(1)
	stopped := context.AfterFunc(ctx, func() {
		defer stopping.Done()
		late := time.AfterFunc(shutdownTimeout, server.Stop)
		defer late.Stop()
		server.GracefulStop()
	})
	err := server.Serve(listener)
	if stopped() { // it failed before ctx ended
		stopping.Done()
	}
	return err
}

func (p *Plane) serveHTTP(ctx context.Context) error {
	var shutting sync.WaitGroup
	shutting.Add(1)
	stopped := context.AfterFunc(ctx, func() {
		defer shutting.Done()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
		defer cancel()
		if p.httpServer.Shutdown(ctx) != nil {
			_ = p.httpServer.Close() // somebody reads too slowly
		}
	})
	err := p.httpServer.Serve(p.httpListener)
	if stopped() { // it failed before ctx ended
		return err
	}
	shutting.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
