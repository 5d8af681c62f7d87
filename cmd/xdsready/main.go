// Command xdsready is a reference xDS control plane whose readiness is the
// point, with the tools around it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The exit codes, as the help texts say them.
const (
	exitFault = 1 // the command ran and found a fault
	exitUsage = 2 // a flag, a file or an address cannot be used
	// What shells say of a process that a signal has ended.
	exitInterrupted = 128 + int(syscall.SIGINT)
	exitTerminated  = 128 + int(syscall.SIGTERM)
)

func main() { os.Exit(run()) }

// run runs the command and returns its exit code.
func run() int {
	err := newRootCommand().ExecuteContext(untilSignal())
	if err == nil {
		return 0
	}
	if text := err.Error(); text != "" {
		fmt.Fprintln(os.Stderr, "xdsready:", text)
	}
	if exit, ok := errors.AsType[*exitError](err); ok {
		return exit.code
	}
	return exitUsage // cobra's own errors are about flags and arguments
}

// errInterrupted is the cause of a context that SIGINT has ended.
var errInterrupted = errors.New("SIGINT")

// untilSignal returns a context that SIGINT or SIGTERM ends. A second one ends the
// process at once.
func untilSignal() context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() { // as long as the process
		if <-signals == os.Interrupt {
			cancel(errInterrupted)
		} else {
			cancel(nil)
		}
		if <-signals == os.Interrupt {
			os.Exit(exitInterrupted)
		}
		os.Exit(exitTerminated)
	}()
	return ctx
}

// exitOnInterrupt ends the process at once on SIGINT, which somebody at a terminal
// sends: SIGTERM drains. It returns what ends that.
func exitOnInterrupt(ctx context.Context) (end func() bool) {
	return context.AfterFunc(ctx, func() {
		if errors.Is(context.Cause(ctx), errInterrupted) {
			os.Exit(exitInterrupted)
		}
	})
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "xdsready",
		Short: "The readiness half of an xDS control plane",
		Long: `xdsready keeps Envoy out until the control plane knows its whole configuration.

It collects sync signals in ordered tiers; until every tier has reported,
/readyz is red and Envoy streams are refused or held.

Every flag can also be set in the environment: --xds-address is
XDSREADY_XDS_ADDRESS. A flag on the command line wins.

Exit codes: 0 success, 1 the command ran and found a fault, 2 wrong usage or
something that cannot be used (a flag, a file, an address).`,
		Version:       buildVersion(),
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return setFromEnvironment(cmd.Flags(), os.LookupEnv)
		},
	}
	root.AddCommand(newServeCommand(), newValidateCommand(), newBootstrapCommand(), newStatusCommand(), newDrainCommand())
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w\nSee '%s --help'", err, cmd.CommandPath())
	})
	return root
}

// variableKey annotates a flag whose variable is not named after it, because
// another command has a flag of the same name that means something else.
const variableKey = "variable"

// variable returns the name of a flag's environment variable.
func variable(f *pflag.Flag) string {
	if name := f.Annotations[variableKey]; len(name) > 0 {
		return name[0]
	}
	return "XDSREADY_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
}

// setFromEnvironment gives flags that were not on the command line the value of
// their variable.
func setFromEnvironment(flags *pflag.FlagSet, lookup func(string) (string, bool)) error {
	var errs []error
	flags.VisitAll(func(f *pflag.Flag) {
		name := variable(f)
		value, ok := lookup(name)
		if !ok || f.Changed || f.Name == "help" {
			return
		}
		if err := flags.Set(f.Name, value); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	})
	return errors.Join(errs...)
}
