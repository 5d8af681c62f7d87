package main

import (
	"sync"
	"sync/atomic"
)

// readAtomic reads an open gate that is one atomic word and nothing else: no
// gate can be faster that may be read while it changes.
func readAtomic(n int) {
	var gate atomic.Uint32
	gate.Store(1)
	for range n {
		if gate.Load() == 0 {
			panic("the gate is open, but the word says no")
		}
	}
}

// lockedBool is an open gate as it is usually written.
type lockedBool struct {
	mu   sync.RWMutex // guards open
	open bool
}

func (b *lockedBool) isOpen() bool {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.open
}

func readRWMutex(n int) {
	gate := lockedBool{open: true}
	for range n {
		if !gate.isOpen() {
			panic("the gate is open, but the bool says no")
		}
	}
}
