//go:build !xdsready_testing

package main

import (
	"github.com/spf13/pflag"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/controlplane"
)

// addTestFlags adds nothing: only a build with the tag xdsready_testing can be
// told to run without the gate.
func addTestFlags(*pflag.FlagSet, *controlplane.Options) {}
