//go:build xdsready_testing

package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/controlplane"
)

// addTestFlags adds the flags of tests that show what the gate prevents.
func addTestFlags(flags *pflag.FlagSet, o *controlplane.Options) {
	flags.BoolVar(&o.Ungated, "test-no-gate", false, "be ready at once and serve whatever is there")
	flags.Var(delays{&o.InputDelays}, "test-input-delay", "RESOURCE=DURATION,…: deliver the first list of a resource late")
}

// delays are durations by resource.
type delays struct{ of *map[string]time.Duration }

func (d delays) Type() string { return "delays" }

func (d delays) String() string { return "" }

func (d delays) Set(text string) error {
	*d.of = map[string]time.Duration{}
	for _, pair := range strings.Split(text, ",") {
		resource, duration, _ := strings.Cut(pair, "=")
		delay, err := time.ParseDuration(duration)
		if err != nil {
			return fmt.Errorf("%q is not RESOURCE=DURATION", pair)
		}
		(*d.of)[resource] = delay
	}
	return nil
}
