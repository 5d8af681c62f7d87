package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/xdsready/xdsready/pkg/ready"
)

// registry is a running ready.Registry with one tier of signals.
type registry struct {
	*ready.Registry
	signals []func() // reports a check each
	stop    func()   // ends the run and waits for that
}

// startRegistry starts a registry with that many checks, of which none has
// reported. The caller calls stop when the registry is not needed any more.
func startRegistry(checks int) *registry {
	// Logging is left out on both sides of each row.
	r := &registry{Registry: ready.NewWithOptions(ready.Options{Logger: slog.New(slog.DiscardHandler)}, "inputs")}
	for i := range checks {
		r.signals = append(r.signals, r.Tier("inputs").Signal(checkName(i)))
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = r.Start(ctx) // its only error here would be a second start
	}()
	r.stop = func() { cancel(); <-ended }
	return r
}

// startOpenRegistry is startRegistry, all checks having reported.
func startOpenRegistry(checks int) *registry {
	r := startRegistry(checks)
	for _, synced := range r.signals {
		synced()
	}
	return r
}

// checkName has the length of names in practice.
func checkName(i int) string { return fmt.Sprintf("informer-%03d", i) }
