// Command bench measures how fast and how small xdsready is, in pairs with its
// peers in the same run:
//
//	make bench                                      everything but scale/ and kubernetes…, in about 5 minutes
//	make bench-docs                                 fanout/, idle/ and scale/, into docs/performance.md
//	make bench-kubernetes                           kubernetes/, into docs/performance.md, in about 6 minutes
//	make bench-ready                                kubernetes-sizes/, in about 15 minutes
//	go run ./test/bench --list                      the rows, measuring nothing
//	go run ./test/bench --only '^(gate|readyz)/'    rows whose names match
//	go run ./test/bench --output json > bench.json
//
// Each row of the table is one number of ours beside the same number of a peer:
// another program's code, or the plainest code that does the job. The ratio
// hardly depends on the machine and on what else it does, because both sides are
// measured in turn, in many rounds, and medians are compared. A row with a
// target passes or misses it; one without informs.
//
//	gate/        reading the gate, which every probe and every call does
//	readyz/      the handler of /readyz, called in process
//	opening/     from the last signal to the first held stream, over loopback TCP
//	held/        memory of a held stream, in a server process of its own (Linux)
//	fanout/      1,000 proxies in a process of their own load a server in another (Linux)
//	idle/        memory of a proxy that has all its config (Linux)
//	scale/       cost against the number of proxies and of resources (Linux)
//	kubernetes/  the command, reading a real API server that is full (Linux)
//	kubernetes-sizes/  its start, with few and with many objects there (Linux)
//
// The table goes to standard output, progress to standard error. Exit codes: 0
// all targets are met, 1 a target is missed, 2 a flag is wrong or something
// could not be measured. (go run itself makes 1 of every code but 0.)
//
// To add a benchmark, write a file with a benchmark variable, put each peer in a
// file NAME_peer.go of its own, or, if it is a program, in a directory of its own,
// and add the variable to suite.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
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
	code := bench(ctx, full, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// bench runs the program and returns its exit code.
func bench(ctx context.Context, s scale, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	missed, err := 0, error(nil)
	if len(args) > 0 && roles[args[0]] != nil {
		err = runRole(ctx, args, stdin, stdout)
	} else {
		missed, err = measure(ctx, s, args, stdout, stderr)
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitMet
	case err != nil:
		fmt.Fprintln(stderr, "bench:", err)
		return exitFault
	case missed > 0:
		return exitMissed
	}
	return exitMet
}

// measure does what the flags say and returns how many targets were missed.
func measure(ctx context.Context, s scale, args []string, stdout, stderr io.Writer) (missed int, err error) {
	o, err := parseOptions(args, stderr)
	if err != nil {
		return 0, err
	}
	if o.list {
		return 0, writeList(stdout)
	}
	if o.proxies > 0 {
		s.proxies = o.proxies
	}
	rows, err := run(ctx, newProgress(stderr), s, o.only)
	if err != nil {
		return 0, err
	}
	r := newReport(rows)
	if o.docs != "" {
		if err := r.writeDocs(o.docs); err != nil {
			return 0, fmt.Errorf("--docs: %w", err)
		}
	}
	if o.json {
		return r.Missed, r.writeJSON(stdout)
	}
	return r.Missed, r.writeTable(stdout)
}

// usual is what is measured unless rows are named: all but scale/, which takes
// minutes and has no targets, and kubernetes…, which needs a kube-apiserver.
const usual = "^(gate|readyz|opening|held|fanout|idle)/"

// options are the program's flags.
type options struct {
	only *regexp.Regexp
	json bool
	list bool
	// proxies is how many connect in the rows fanout/ and idle/; 0: as many as usual.
	proxies int
	docs    string // directory of the page whose tables are measured; empty: none is written
}

// parseOptions returns flag.ErrHelp when it was asked for help, which it then
// has written.
func parseOptions(args []string, stderr io.Writer) (o options, err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // errors are written by the caller, once
	only := flags.String("only", usual, "measure the rows whose names match this `regexp`")
	output := flags.String("output", "table", "table or json")
	flags.BoolVar(&o.list, "list", false, "write the names of the rows and measure nothing")
	flags.StringVar(&o.docs, "docs", "", "write the tables and plots of performance.md in this `directory` as well")
	flags.IntVar(&o.proxies, "proxies", 0, "how many proxies connect in the rows fanout/ and idle/ (0: 1,000)")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(stderr, "usage: bench [--only REGEXP] [--proxies N] [--output table|json] [--docs DIRECTORY] [--list]")
			flags.SetOutput(stderr)
			flags.PrintDefaults()
		}
		return options{}, err
	}
	if flags.NArg() > 0 {
		return options{}, fmt.Errorf("unknown argument %q", flags.Arg(0))
	}
	if o.proxies < 0 {
		return options{}, fmt.Errorf("--proxies: %d is less than 1", o.proxies)
	}
	if o.only, err = regexp.Compile(*only); err != nil {
		return options{}, fmt.Errorf("--only: %w", err)
	}
	if !slices.ContainsFunc(suite, func(b benchmark) bool { return b.has(o.only) }) {
		return options{}, fmt.Errorf("--only: no row matches %q: --list shows their names", *only)
	}
	switch *output {
	case "table":
	case "json":
		o.json = true
	default:
		return options{}, fmt.Errorf("--output: unknown format %q: use table or json", *output)
	}
	return o, nil
}
