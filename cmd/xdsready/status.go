package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/statusclient"
)

const statusExamples = `  # Once, for a script: is it ready?
  xdsready status && echo ready

  # The tiers turning green, and the proxies
  xdsready status --watch

  # What each Envoy has accepted, and why it rejected the rest
  xdsready status --output json | jq '.proxies[] | {node, state, types}'

  # A program that embeds the registry: any address with its /readyz
  xdsready status --http-address 10.0.0.7:8081 --output json`

func newStatusCommand() *cobra.Command {
	var o statusclient.Options
	var output string
	var watch bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the tiers, faults, node groups and proxies of a running instance",
		Long: `Show the tiers, faults, node groups and proxies of a running instance: the proxies
as its admin address tells them by CSDS, the rest from its HTTP address.

With --http-address alone, the default admin address is not asked, since that
could be another instance's: the proxies are then those of the status page.

States are coloured on a terminal, unless NO_COLOR is set.

Exit codes: 0 ready, 1 not ready, 2 it could not be asked. A watch ends with that
of the last answer.`,
		Example: statusExamples,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "text" && output != "json" {
				return &exitError{exitUsage, fmt.Errorf("--output: unknown format %q: use text or json", output)}
			}
			o.Out, o.JSON, o.Screen = cmd.OutOrStdout(), output == "json", isTerminal(cmd.OutOrStdout())
			chooseAdmin(cmd.Flags(), &o)
			o.Color = o.Screen && os.Getenv("NO_COLOR") == ""
			ask := statusclient.Run
			if watch {
				ask = statusclient.Watch
			}
			return runStatus(cmd.Context(), ask, o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Address, "http-address", "127.0.0.1:8080", "host:port or URL of the instance's --http-address")
	flags.StringVar(&o.AdminAddress, "admin-address", "127.0.0.1:18001", "host:port of the instance's --admin-address; empty: the proxies are those of its status page")
	flags.BoolVar(&watch, "watch", false, "go on until interrupted: drawn anew on a terminal, else printed on each change")
	flags.StringVar(&output, "output", "text", "text or json")
	must(cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp)))
	return cmd
}

// chooseAdmin makes an admin address that was not asked for one that need not
// answer, and none at all beside an HTTP address that was: that of another
// instance would tell other proxies.
func chooseAdmin(flags *pflag.FlagSet, o *statusclient.Options) {
	o.AdminOptional = !flags.Changed("admin-address")
	if o.AdminOptional && flags.Changed("http-address") {
		o.AdminAddress = ""
	}
}

// runStatus turns an answer into the exit code.
func runStatus(ctx context.Context, ask func(context.Context, statusclient.Options) (bool, error), o statusclient.Options) error {
	isReady, err := ask(ctx, o)
	switch {
	case err != nil:
		return &exitError{exitUsage, err}
	case !isReady:
		return &exitError{exitFault, nil}
	}
	return nil
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
