package ready

import "sync/atomic"

// gate is the answer to the two questions that are asked all the time, in one
// atomic word, so that a probe and an interceptor read it without a lock.
//
//	open   may a stream in?   set once when all tiers are complete, cleared
//	                          only when a drain ends its delay
//	ready  should a balancer  open, and live checks good, and not draining
//	       send traffic here?
//
// They are two bits because they fail differently: a live check that fails on
// every replica must take them out of balancing, but must not lock out proxies
// that have nowhere else to go.
type gate struct{ bits atomic.Uint32 }

const (
	gateOpen uint32 = 1 << iota
	gateReady
)

func (g *gate) open() bool  { return g.bits.Load()&gateOpen != 0 }
func (g *gate) ready() bool { return g.bits.Load()&gateReady != 0 }

func (g *gate) set(open, ready bool) {
	var bits uint32
	if open {
		bits |= gateOpen
	}
	if ready {
		bits |= gateReady
	}
	g.bits.Store(bits)
}
