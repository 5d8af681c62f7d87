package envoy

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

// The programs under test: the command of this checkout, and a real Envoy.
var commandPath, envoyPath string

func TestMain(m *testing.M) {
	flag.Parse()
	// The tests wait more than they work: more of them at a time than there are
	// processors.
	if err := flag.Set("test.parallel", "10"); err != nil {
		panic(err)
	}
	if os.Getenv("SKIP_ENVOY") == "1" {
		fmt.Fprintln(os.Stderr, "SKIP_ENVOY=1: the tests with a real Envoy are left out")
		return
	}
	if err := findPrograms(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(filepath.Dir(commandPath))
		os.Exit(code)
	}))
}

func findPrograms() error {
	root, err := filepath.Abs("../..")
	if err != nil {
		return err
	}
	envoyPath = os.Getenv("ENVOY")
	if envoyPath == "" {
		envoyPath = filepath.Join(root, "bin", "envoy")
	}
	if _, err := os.Stat(envoyPath); err != nil {
		return fmt.Errorf("no Envoy: %w: run make envoy, or set ENVOY=/path/to/envoy, or SKIP_ENVOY=1", err)
	}
	dir, err := os.MkdirTemp("", "xdsready-test-")
	if err != nil {
		return err
	}
	commandPath = filepath.Join(dir, "xdsready")
	build := exec.Command("go", "build", "-o", commandPath, "./cmd/xdsready")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building the command: %w\n%s", err, out)
	}
	return nil
}
