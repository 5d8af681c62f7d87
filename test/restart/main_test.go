package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// TestMain is also the process of the simulated proxies, which is the program
// that starts it.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == fleetArgument {
		if code := run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr); code != exitMet {
			panic("the simulated proxies have failed")
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func TestArguments(t *testing.T) {
	t.Setenv("ENVOY", filepath.Join(t.TempDir(), "nowhere"))
	for _, test := range []struct {
		name   string
		args   []string
		code   int
		stderr string
	}{
		{"help is no fault", []string{"-h"}, exitMet, "-only scene"},
		{"an unknown flag is named", []string{"--fast"}, exitFault, "flag provided but not defined: -fast"},
		{"an argument is one too many", []string{"crash"}, exitFault, `unknown argument "crash"`},
		{"an unknown scene", []string{"--only", "fire"}, exitFault, `--only: unknown scene "fire": rolling, crash or cold`},
		{"no Envoy", nil, exitFault, "ENVOY is not the path of an Envoy"},
		{"proxies without a config", []string{fleetArgument, "x"}, exitFault, "is how this program starts itself"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var stdout, stderr strings.Builder
			code := run(t.Context(), test.args, strings.NewReader(""), &stdout, &stderr)
			if code != test.code || stdout.Len() > 0 || !strings.Contains(stderr.String(), test.stderr) {
				t.Errorf("exit code %d, standard output %q, standard error %q; want %d, none and %q",
					code, &stdout, &stderr, test.code, test.stderr)
			}
		})
	}
}
