package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// processor is who has used how much of it so far, in seconds. Where the sum over
// a time comes near to what there is, that measures the machine.
type processor struct {
	replica, fleet float64
	machine        float64 // all processes, those of others included
	at             time.Time
}

func (c *crowd) processor(ctx context.Context, r *replica) (p processor, err error) {
	p.at = time.Now()
	now, err := r.metrics(ctx)
	if err != nil {
		return p, err
	}
	p.replica, _ = now.sum("process_cpu_seconds_total")
	state, err := c.fleet.ask(fleetQuestion{})
	if err != nil {
		return p, err
	}
	p.fleet = state.CPU.Seconds()
	p.machine, err = machineSeconds()
	return p, err
}

// machineSeconds is how long the processors of the machine have worked, as only
// Linux tells.
func machineSeconds() (float64, error) {
	const ticksPerSecond = 100
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	var user, nice, system float64
	first, _, _ := strings.Cut(string(stat), "\n")
	if _, err := fmt.Sscanf(first, "cpu %g %g %g", &user, &nice, &system); err != nil {
		return 0, fmt.Errorf("/proc/stat: %q: %w", first, err)
	}
	return (user + nice + system) / ticksPerSecond, nil
}

// since says what was used from then on.
func (p processor) since(then processor) string {
	wall := p.at.Sub(then.at).Seconds()
	return fmt.Sprintf("replica %.2f s, simulated proxies %.2f s, all on the machine %.2f s of %.2f s",
		p.replica-then.replica, p.fleet-then.fleet, p.machine-then.machine, wall*float64(runtime.NumCPU()))
}
