package admission

import (
	"runtime"
	"sync"
	"time"
)

// arrivals bounds how many connections are set up at a time: from Accept to the
// first message, refusal or other call. When a replica dies, another one gets
// thousands of connections within its proxies' back-off, and whatever else is to be
// done, such as to answer a probe, would wait behind the goroutines of all of them.
// Connections that wait do so in the kernel, for nothing.
//
// The bound follows how long a goroutine that yields waits for a processor: that
// is how much work there is. Where arrivals wait for the network and not
// for this machine, it grows with each.
type arrivals struct {
	mu      sync.Mutex // guards the following
	left    sync.Cond  // of mu: told when inside or allowed has changed
	allowed int
	inside  int
}

const (
	// behind and idle are the waits for a processor at which the bound falls, by a
	// quarter, and rises, by one.
	behind = 2 * time.Millisecond
	idle   = 200 * time.Microsecond
	// longestArrival is how long a connection that says nothing counts.
	longestArrival = time.Second
)

// fewestPerCPU is what the bound never falls below, firstPerCPU what it begins with.
const (
	fewestPerCPU = 2
	firstPerCPU  = 16
)

func newArrivals() *arrivals {
	a := &arrivals{allowed: firstPerCPU * runtime.GOMAXPROCS(0)}
	a.left.L = &a.mu
	return a
}

// enter waits until one more connection may be set up.
func (a *arrivals) enter() {
	yielded := time.Now()
	runtime.Gosched()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.adaptLocked(time.Since(yielded))
	for a.inside >= a.allowed {
		a.left.Wait()
	}
	a.inside++
}

func (a *arrivals) adaptLocked(waited time.Duration) {
	switch {
	case waited >= behind:
		a.allowed = max(a.allowed*3/4, fewestPerCPU*runtime.GOMAXPROCS(0))
	case waited <= idle:
		a.allowed++
	}
}

func (a *arrivals) leave() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.inside--
	a.left.Signal()
}
