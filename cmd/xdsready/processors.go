package main

import (
	"context"
	"os"
	"runtime"
)

// overcommit is how many times more goroutines run at a time than there are
// processors, up to enough.
//
// With as many, whoever waits behind a thousand proxies that come at once waits
// long: Go notices that a connection can be read when a processor has nothing else
// to do, or every 10 ms, and then queues the goroutine last; a probe takes that
// three times. With more, the kernel shares the processors, which it does in
// turns. `make restart` shows the difference, in the latency of /readyz after a
// crash: run it with GOMAXPROCS as the number of processors.
//
// Before the gate opens nobody is served, and a start from Kubernetes takes a third
// longer with more: `make bench-kubernetes`.
const (
	overcommit = 4
	enough     = 16
)

// shareProcessors applies it once the gate has opened, unless ctx ends before or
// GOMAXPROCS in the environment says otherwise. (The Go runtime then follows no
// change of the container's CPU limit any more.)
func shareProcessors(ctx context.Context, opened <-chan struct{}) {
	if os.Getenv("GOMAXPROCS") != "" {
		return
	}
	select {
	case <-opened:
		processors := runtime.GOMAXPROCS(0)
		runtime.GOMAXPROCS(max(processors, min(overcommit*processors, enough)))
	case <-ctx.Done():
	}
}
