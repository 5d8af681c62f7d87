package main

import (
	"fmt"
	"time"
)

// kind is the proxies that are judged together.
type kind struct {
	Real      bool      `json:"real"` // Envoy; else simulated
	Bootstrap bootstrap `json:"bootstrap"`
	Transport string    `json:"transport"` // as --transport takes it
}

// The variants of the protocol.
const (
	deltaTransport = "delta"
	sotwTransport  = "sotw"
)

// String names the kind in tables.
func (k kind) String() string {
	who := "simulated"
	if k.Real {
		who = "Envoy"
	}
	return fmt.Sprintf("%s, %s bootstrap, %s", who, k.Bootstrap, k.Transport)
}

// kindOf deals out bootstraps and transports among proxies by their number.
func kindOf(number int, isReal bool) kind {
	k := kind{Real: isReal, Bootstrap: generated, Transport: deltaTransport}
	if number%2 == 1 {
		k.Bootstrap = stock
	}
	if number/2%2 == 1 {
		k.Transport = sotwTransport
	}
	return k
}

// kinds are all kinds there are, in the order of tables.
func kinds() (all []kind) {
	for _, isReal := range []bool{false, true} {
		for number := range 4 {
			all = append(all, kindOf(number, isReal))
		}
	}
	return all
}

// gap is how long a proxy was without a stream that had answered it.
type gap struct {
	Kind   kind          `json:"kind"`
	Length time.Duration `json:"length"`
}

// stopwatch measures the gaps of one proxy: from the end of a stream that had
// answered to the first answer on a later one. Streams between them that ended
// without an answer are part of the gap; before its first answer of all a proxy
// has none.
type stopwatch struct {
	served bool      // the proxy has a stream that answered
	ended  time.Time // when the last such stream ended; zero before the first end
}

// end notes that a stream has ended.
func (w *stopwatch) end(at time.Time) {
	if w.served {
		w.served, w.ended = false, at
	}
}

// answer notes a message on a stream, and returns the gap that it closes.
func (w *stopwatch) answer(at time.Time) (length time.Duration, closed bool) {
	closed = !w.served && !w.ended.IsZero()
	w.served = true
	return at.Sub(w.ended), closed
}
