package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// The exit codes.
const (
	exitKept   = 0
	exitBroken = 1
	exitFault  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := chaos(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// chaos runs the program and returns its exit code.
func chaos(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	broken, err := try(ctx, args, stdout, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitKept
	case err != nil:
		fmt.Fprintln(stderr, "chaos:", err)
		return exitFault
	case broken != nil:
		fmt.Fprintln(stderr, "chaos:", broken)
		return exitBroken
	}
	return exitKept
}

// try does what the flags say. That broken is not nil says how the promise was.
func try(ctx context.Context, args []string, stdout, stderr io.Writer) (broken, err error) {
	o, err := parseOptions(args, stderr)
	if err != nil {
		return nil, err
	}
	dir, err := logs(o.logs)
	if err != nil {
		return nil, err
	}
	defer func() {
		if broken == nil && err == nil {
			_ = os.RemoveAll(dir) // what is left there is read by nobody
			return
		}
		fmt.Fprintln(stderr, "all logs are in", dir)
	}()
	fmt.Fprintf(stderr, "seed %d, %v\n", o.seed, o.duration)
	d, err := newDrill(ctx, o, dir)
	if err == nil {
		err = d.run(ctx, newProgress(stderr).show)
	}
	d.close(ctx)
	if err != nil {
		return nil, err
	}
	r, err := d.report(dir)
	if err != nil {
		return nil, err
	}
	if o.output == outputJSON {
		err = r.writeJSON(stdout)
	} else {
		err = r.writeText(stdout)
	}
	return r.verdict(), err
}

// logs makes the directory of all logs in another one.
func logs(in string) (string, error) {
	if in != "" {
		if err := os.MkdirAll(in, 0o700); err != nil {
			return "", err
		}
	}
	return os.MkdirTemp(in, "xdsready-chaos-")
}

// telling is the length from which on a run of a baseline finds something.
const telling = 10 * time.Minute

// verdict is nil if our world kept the promise, and the others broke it.
func (r report) verdict() error {
	for _, a := range r.Worlds {
		switch {
		case a.ours && a.broken > 0:
			return fmt.Errorf("the promise was broken: %d failed, %d vanished, %d left behind, %d other faults (seed %d)",
				a.Failed, a.Vanished, len(a.Behind), len(a.Faults), r.Seed)
		case !a.ours && a.Failed+a.Vanished == 0 && r.Seconds >= telling.Seconds():
			return fmt.Errorf("%q had no failure: the run shows nothing (seed %d)", a.Name, r.Seed)
		}
	}
	return nil
}
