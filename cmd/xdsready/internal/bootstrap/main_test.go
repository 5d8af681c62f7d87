package bootstrap

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "rewrite testdata")

// envoyPath is a real Envoy; empty if the tests with one are left out.
var envoyPath string

func TestMain(m *testing.M) {
	flag.Parse()
	if os.Getenv("SKIP_ENVOY") == "1" {
		fmt.Fprintln(os.Stderr, "SKIP_ENVOY=1: the tests with a real Envoy are left out")
	} else if envoyPath = os.Getenv("ENVOY"); envoyPath == "" {
		envoyPath = filepath.Join("..", "..", "..", "..", "bin", "envoy")
	}
	if _, err := os.Stat(envoyPath); envoyPath != "" && err != nil {
		fmt.Fprintf(os.Stderr, "no Envoy: %v: run make envoy, or set ENVOY=/path/to/envoy, or SKIP_ENVOY=1\n", err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// needsEnvoy skips a test if SKIP_ENVOY=1 says so.
func needsEnvoy(t *testing.T) {
	t.Helper()
	if envoyPath == "" {
		t.Skip("SKIP_ENVOY=1")
	}
}
