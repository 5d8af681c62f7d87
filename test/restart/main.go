// Command restart measures what proxies notice when the control plane is
// restarted, crashes, or opens to all of them at once:
//
//	make restart                                     everything, in about 5 minutes
//	go run ./test/restart --only rolling             one scene: rolling, crash or cold
//
// The replicas are real `xdsready serve` processes on loopback that read one
// directory, whose config does not change. On them hang 1,000 simulated proxies,
// in a process of their own, and 10 real Envoys with traffic through them; half
// of each with the bootstrap that `xdsready bootstrap` prints, half with Envoy's
// default back-off; of each half one half speaks delta, the other SotW.
//
//	rolling  SIGTERM and a new start, one replica of three after the other
//	crash    SIGKILL of one replica of two
//	cold     a gate opens in front of proxies that hold nothing
//
// The tables go to standard output, progress to standard error. Exit codes: 0
// all targets are met, 1 a target is missed, 2 a flag is wrong or something
// could not be measured. (go run itself makes 1 of every code but 0.)
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
)

// The exit codes.
const (
	exitMet    = 0
	exitMissed = 1
	exitFault  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run runs the program and returns its exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) == 2 && args[0] == fleetArgument {
		if err := runFleet(ctx, args[1], stdin, stdout); err != nil {
			fmt.Fprintln(stderr, "simulated proxies:", err)
			return exitFault
		}
		return exitMet
	}
	missed, err := measure(ctx, args, stdout, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitMet
	case err != nil:
		fmt.Fprintln(stderr, "restart:", err)
		return exitFault
	case len(missed) > 0:
		for _, figure := range missed {
			fmt.Fprintln(stderr, "restart: missed:", figure)
		}
		return exitMissed
	}
	return exitMet
}

// scenes are what can be measured, in order.
var scenes = []struct {
	name    string
	measure func(*lab, context.Context) error
}{
	{"rolling", (*lab).rolling},
	{"crash", (*lab).crash},
	{"cold", (*lab).cold},
}

// measure does what the flags say, writes the tables and returns what missed.
func measure(ctx context.Context, args []string, stdout, stderr io.Writer) (missed []string, err error) {
	flags := flag.NewFlagSet("restart", flag.ContinueOnError)
	flags.SetOutput(stderr)
	s := full
	only := flags.String("only", "", "measure this `scene` only: rolling, crash or cold")
	flags.IntVar(&s.simulated, "simulated", s.simulated, "how many proxies are simulated")
	flags.IntVar(&s.real, "envoys", s.real, "how many Envoys run")
	command := flags.String("xdsready", "", "`path` of the xdsready to measure; empty: it is built")
	seed := flags.Uint64("seed", rand.Uint64(), "seed of the simulated proxies' back-off")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	l, err := openLab(ctx, s, *command, *seed, stderr)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	l.say("seed %d, logs in %s", *seed, l.directory)
	known := false
	for _, scene := range scenes {
		if *only != "" && *only != scene.name {
			continue
		}
		known = true
		if err := scene.measure(l, ctx); err != nil {
			return nil, fmt.Errorf("%s: %w", scene.name, err)
		}
	}
	if !known {
		return nil, fmt.Errorf("--only: unknown scene %q: rolling, crash or cold", *only)
	}
	return l.report.missed(), l.report.write(stdout)
}
