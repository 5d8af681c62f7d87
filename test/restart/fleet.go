package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// fleetArgument starts this program as the process of all simulated proxies, so
// that their scheduling is not that of whoever measures. Behind it stands a
// fleetConfig; the process then answers each fleetQuestion with a fleetState, a
// JSON value a line, and ends with its input.
const fleetArgument = "internal-fleet"

// fleetConfig is what the proxies need to know.
type fleetConfig struct {
	Addresses []string `json:"addresses"` // of the control plane, in the order of the bootstrap
	Proxies   int      `json:"proxies"`
	Services  int      `json:"services"` // how many load assignments each asks for
	Seed      uint64   `json:"seed"`     // of back-off and of where each begins among the addresses
}

// fleetQuestion is what is asked of the process.
type fleetQuestion struct {
	Gaps bool `json:"gaps"` // with all gaps since they were last asked for
}

// fleetState is all proxies at one moment.
type fleetState struct {
	Loaded  int            `json:"loaded"`  // have received every type
	Serving int            `json:"serving"` // have a stream that has answered
	At      map[string]int `json:"at"`      // those, by the address of the stream
	Gaps    []gap          `json:"gaps"`
	CPU     time.Duration  `json:"cpu"` // that the process has used
	// Resources is how many were received so far, on all streams.
	Resources int `json:"resources"`
}

// runFleet is the process of all simulated proxies.
func runFleet(ctx context.Context, config string, in io.Reader, out io.Writer) error {
	var c fleetConfig
	if err := json.Unmarshal([]byte(config), &c); err != nil {
		return fmt.Errorf("%s is how this program starts itself: %w", fleetArgument, err)
	}
	var proxies []*proxy
	for number := range c.Proxies {
		p, err := newProxy(number, c)
		if err != nil {
			return err
		}
		proxies = append(proxies, p)
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	for _, p := range proxies {
		running.Go(func() { p.run(ctx) })
	}
	questions, answers := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var q fleetQuestion
		if err := questions.Decode(&q); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		var used syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
			return err
		}
		state := fleetState{At: map[string]int{}, CPU: time.Duration(used.Utime.Nano() + used.Stime.Nano())}
		for _, p := range proxies {
			p.addTo(&state, q.Gaps)
		}
		if err := answers.Encode(state); err != nil {
			return err
		}
	}
}

// fleet is the process of all simulated proxies as seen from here.
type fleet struct {
	fleetConfig
	command   *exec.Cmd
	input     io.Closer // of the process, which ends with it
	questions *json.Encoder
	answers   *json.Decoder
}

// startFleet starts the proxies, which connect at once.
func (c *crowd) startFleet(ctx context.Context) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	f := &fleet{fleetConfig: fleetConfig{c.addresses(), c.simulated, c.services, c.seed}}
	config, err := json.Marshal(f.fleetConfig)
	if err != nil {
		return err
	}
	// In earnest the proxies have machines of their own: here they leave the
	// processor to the replicas when both want it.
	f.command = exec.CommandContext(ctx, "nice", "-n", "10", program, fleetArgument, string(config))
	f.command.Stderr = os.Stderr
	in, err := f.command.StdinPipe()
	if err != nil {
		return err
	}
	out, err := f.command.StdoutPipe()
	if err != nil {
		return err
	}
	f.input, f.questions, f.answers = in, json.NewEncoder(in), json.NewDecoder(out)
	if err := f.command.Start(); err != nil {
		return err
	}
	c.fleet = f
	return nil
}

func (f *fleet) ask(q fleetQuestion) (s fleetState, err error) {
	if err := f.questions.Encode(q); err != nil {
		return s, fmt.Errorf("asking the simulated proxies: %w", err)
	}
	if err := f.answers.Decode(&s); err != nil {
		return s, fmt.Errorf("answer of the simulated proxies: %w", err)
	}
	return s, nil
}

// await asks until the state is as wanted, and returns it.
func (f *fleet) await(ctx context.Context, what string, holds func(fleetState) bool) (fleetState, error) {
	var last fleetState
	err := until(ctx, what, func() (bool, error) {
		s, err := f.ask(fleetQuestion{})
		last = s
		return err == nil && holds(s), err
	})
	if err != nil {
		err = fmt.Errorf("%w; of %d simulated proxies %d are loaded and %d served", err, f.Proxies, last.Loaded, last.Serving)
	}
	return last, err
}

// awaitLoaded waits until each proxy has all config and a stream.
func (f *fleet) awaitLoaded(ctx context.Context) (fleetState, error) {
	return f.await(ctx, "all proxies have their config", func(s fleetState) bool {
		return s.Loaded == f.Proxies && s.Serving == f.Proxies
	})
}

// stop ends the process.
func (f *fleet) stop() error {
	_ = f.input.Close() // it may have ended by itself, which Wait tells
	if err := f.command.Wait(); err != nil {
		return fmt.Errorf("simulated proxies: %w", err)
	}
	return nil
}

// patience bounds every wait for what must happen.
const patience = time.Minute

// until asks every 50 ms until something holds.
func until(ctx context.Context, what string, holds func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		if ok, err := holds(); ok || err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s: %w", what, ctx.Err())
		}
	}
}
