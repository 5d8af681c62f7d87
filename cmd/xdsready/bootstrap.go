package main

import "github.com/spf13/cobra"

func newBootstrapCommand() *cobra.Command { return &cobra.Command{Use: "bootstrap"} }
