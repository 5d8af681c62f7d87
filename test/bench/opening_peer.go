package main

import (
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
)

// shutPolled returns a gate that is opened by asking all checks at an interval,
// as what is built on a WaitForCacheSync does: client-go asked every 100 ms for
// years, controller-runtime 0.25 still does.
func shutPolled(checks int, interval time.Duration) *shutGate {
	synced := make([]atomic.Bool, checks)
	last := checks - 1
	for i := range last {
		synced[i].Store(true)
	}
	allSynced := func() bool {
		for i := range synced {
			if !synced[i].Load() {
				return false
			}
		}
		return true
	}

	opened, stop := make(chan struct{}), make(chan struct{})
	var polling sync.WaitGroup
	polling.Go(func() {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for !allSynced() {
			select {
			case <-ticker.C:
			case <-stop:
				return
			}
		}
		close(opened)
	})

	var held atomic.Int64
	hold := func(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		held.Add(1)
		select {
		case <-opened:
		case <-stream.Context().Done():
			return stream.Context().Err()
		}
		return handler(srv, stream)
	}
	return &shutGate{
		options: []grpc.ServerOption{grpc.ChainStreamInterceptor(hold)},
		wrap:    unwrapped,
		held:    func() int { return int(held.Load()) },
		report:  func() { synced[last].Store(true) },
		idle:    interval,
		stop:    func() { close(stop); polling.Wait() },
	}
}
