package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/source/dir"
	"github.com/xdsready/xdsready/cmd/xdsready/internal/validate"
)

const validateExamples = `  # Before a commit
  xdsready validate examples/quickstart/config

  # A directory with a subdirectory per node group, for a program to read
  xdsready validate --node-group cluster --output json /etc/xdsready | jq '.faults[].message'`

func newValidateCommand() *cobra.Command {
	var nodeGroup, output string
	cmd := &cobra.Command{
		Use:   "validate PATH",
		Short: "Check a config directory",
		Long: `Check a config directory the way "xdsready serve" does, without serving it.

Each fault is a line file:line: message, and so is each warning: a reference to
what is absent, a resource that is withheld for lack of its secret. Warnings do
not change the exit code, since the directory would be served. A summary in one
line comes last.

Exit codes: 0 the directory would be served, 1 it has faults, 2 it cannot be
read, or wrong usage.`,
		Example: validateExamples,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("%d arguments instead of one: name the directory, as in xdsready validate PATH", len(args))
			}
			return nil
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			grouping, err := dir.ParseGrouping(nodeGroup)
			if err != nil {
				return &exitError{exitUsage, fmt.Errorf("--node-group: %w", err)}
			}
			if err := validate.CheckFormat(output); err != nil {
				return &exitError{exitUsage, fmt.Errorf("--output: %w", err)}
			}
			report, err := validate.Directory(args[0], grouping)
			if err != nil {
				return &exitError{exitUsage, err}
			}
			if err := report.Write(cmd.OutOrStdout(), output); err != nil {
				return &exitError{exitFault, fmt.Errorf("writing the report: %w", err)}
			}
			if !report.Valid {
				return &exitError{code: exitFault} // the report has said it
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&nodeGroup, "node-group", string(dir.All), "what makes a node group: all, cluster or id; with cluster and id PATH/GROUP/* goes over PATH/*")
	flags.StringVar(&output, "output", "text", "text or json")
	for flag, values := range map[string][]string{"node-group": {"all", "cluster", "id"}, "output": {"text", "json"}} {
		must(cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)))
	}
	return cmd
}
