package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"time"
)

// options are the flags.
type options struct {
	duration  time.Duration
	seed      uint64
	replicas  int
	envoys    int
	baseline  int
	output    string
	xdsready  string
	reference string
	envoy     string
	logs      string
}

func parseOptions(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("chaos", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.DurationVar(&o.duration, "duration", 30*time.Minute, "how long events happen; up to a minute more is waited for the proxies")
	flags.Uint64Var(&o.seed, "seed", 0, "of all that is drawn; 0: one by chance, which is printed")
	flags.IntVar(&o.replicas, "replicas", 3, "of each control plane, 2 at least")
	flags.IntVar(&o.envoys, "envoys", 10, "of xdsready's world, half of them delta and half SotW")
	flags.IntVar(&o.baseline, "baseline-envoys", 4, "of each baseline's world; 0: no baselines")
	flags.StringVar(&o.output, "output", outputText, "text or json")
	flags.StringVar(&o.xdsready, "xdsready", "bin/xdsready", "path of the command")
	flags.StringVar(&o.reference, "baseline", "bin/chaos-baseline", "path of test/chaos/baseline's command")
	flags.StringVar(&o.envoy, "envoy", "bin/envoy", "path of Envoy")
	flags.StringVar(&o.logs, "logs", "", "directory to make that of all logs in, which is kept if something was found; empty: that for temporary files")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.seed == 0 {
		o.seed = 1 + rand.Uint64N(1_000_000)
	}
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("%q: there are no arguments", flags.Arg(0))
	case o.replicas < 2:
		return o, errors.New("--replicas: there must be 2 at least, since one is always left alone")
	case o.envoys < 1 || o.baseline < 0:
		return o, errors.New("--envoys: there must be 1 at least, and --baseline-envoys none or more")
	case o.output != outputText && o.output != outputJSON:
		return o, fmt.Errorf("--output %s: it must be text or json", o.output)
	}
	return o, nil
}
