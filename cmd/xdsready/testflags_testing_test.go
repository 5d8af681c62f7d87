//go:build xdsready_testing

package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/controlplane"
)

func TestTestFlags(t *testing.T) {
	for _, test := range []struct {
		arguments string
		want      controlplane.Options
		err       string
	}{
		{arguments: ""},
		{arguments: "--test-no-gate", want: controlplane.Options{Ungated: true}},
		{arguments: "--test-input-delay=endpointslices=5s,services=1ms", want: controlplane.Options{
			InputDelays: map[string]time.Duration{"endpointslices": 5 * time.Second, "services": time.Millisecond},
		}},
		{arguments: "--test-input-delay=services", err: `"services" is not RESOURCE=DURATION`},
		{arguments: "--test-input-delay=services=5", err: `"services=5" is not RESOURCE=DURATION`},
	} {
		var o controlplane.Options
		flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
		addTestFlags(flags, &o)
		err := flags.Parse(strings.Fields(test.arguments))
		if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%q: error %v, want %q", test.arguments, err, test.err)
		}
		if err != nil {
			continue
		}
		if diff := cmp.Diff(test.want, o); diff != "" {
			t.Errorf("%q (-want +got):\n%s", test.arguments, diff)
		}
	}
}
