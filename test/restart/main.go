// Command restart measures what proxies notice when the control plane is
// restarted, crashes, or opens to all of them at once:
//
//	make restart                                     everything, in about 4 minutes
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
	"slices"
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

// scene is something that can be measured.
type scene struct {
	name    string
	measure func(*lab, context.Context) error
}

// scenes are all there are, in order.
var scenes = []scene{
	{"rolling", (*lab).rolling},
	{"crash", (*lab).crash},
	{"cold", (*lab).cold},
}

// options are the program's flags.
type options struct {
	size
	scenes []scene
	seed   uint64
	binary string // path of the xdsready to measure; empty: it is built
}

func parseOptions(args []string, stderr io.Writer) (options, error) {
	o := options{size: full, scenes: scenes}
	flags := flag.NewFlagSet("restart", flag.ContinueOnError)
	flags.SetOutput(stderr)
	only := flags.String("only", "", "measure this `scene` only: rolling, crash or cold")
	flags.IntVar(&o.simulated, "simulated", o.simulated, "how many proxies are simulated")
	flags.IntVar(&o.real, "envoys", o.real, "how many Envoys run")
	flags.StringVar(&o.binary, "xdsready", "", "`path` of the xdsready to measure; empty: it is built")
	flags.Uint64Var(&o.seed, "seed", rand.Uint64(), "seed of the simulated proxies' back-off")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unknown argument %q", flags.Arg(0))
	}
	if *only == "" {
		return o, nil
	}
	i := slices.IndexFunc(scenes, func(s scene) bool { return s.name == *only })
	if i < 0 {
		return o, fmt.Errorf("--only: unknown scene %q: rolling, crash or cold", *only)
	}
	o.scenes = scenes[i : i+1]
	return o, nil
}

// measure does what the flags say, writes the tables and returns what missed.
func measure(ctx context.Context, args []string, stdout, stderr io.Writer) (missed []string, err error) {
	o, err := parseOptions(args, stderr)
	if err != nil {
		return nil, err
	}
	l, err := openLab(ctx, o, stderr)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil || len(missed) > 0 {
			l.say("the logs are kept in %s", l.directory)
			return
		}
		err = l.close()
	}()
	l.say("seed %d", o.seed)
	for _, s := range o.scenes {
		if err := s.measure(l, ctx); err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return l.report.missed(), l.report.write(stdout)
}
