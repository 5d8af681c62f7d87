package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/drain"
)

const drainExamples = `  # On this machine: hand over all proxies, then end the process
  xdsready drain

  # As the preStop hook of a pod, where SIGTERM would come too late or not at all
  lifecycle:
    preStop:
      exec:
        command: [xdsready, drain]`

func newDrainCommand() *cobra.Command {
	var address string
	cmd := &cobra.Command{
		Use:   "drain",
		Short: "Hand over all proxies of a running instance and end it",
		Long: `Hand over all proxies of a running instance to the other replicas and end it, as
SIGTERM does: /readyz is red at once, all is served for --drain-delay, then the
proxies leave over --drain-window (both are flags of "xdsready serve"). The
command returns when that is done. To interrupt it does not stop the drain.

In a preStop hook it must fit into terminationGracePeriodSeconds.

Exit codes: 0 drained, 1 the instance ended before that, 2 it could not be asked.`,
		Example: drainExamples,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := drain.Run(cmd.Context(), address, cmd.OutOrStdout(), isTerminal(cmd.OutOrStdout()))
			switch {
			case errors.Is(err, drain.ErrUnreachable):
				return &exitError{exitUsage, err}
			case err != nil:
				return &exitError{exitFault, err}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&address, "admin-address", "127.0.0.1:18001", "admin address of the instance")
	return cmd
}
