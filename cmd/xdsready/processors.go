package main

import (
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
const (
	overcommit = 4
	enough     = 16
)

// syncsPerProcessor is the default of --max-initial-syncs, for each processor.
const syncsPerProcessor = 64

// shareProcessors applies it, unless GOMAXPROCS in the environment says otherwise,
// and returns the number of processors. (The Go runtime then follows no change of
// the container's CPU limit any more.)
func shareProcessors() (processors int) {
	processors = runtime.GOMAXPROCS(0)
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(max(processors, min(overcommit*processors, enough)))
	}
	return processors
}
