package deploy

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "rewrite testdata")

// The programs of the tests: Helm, a real Envoy, empty if the tests with one are
// left out, and the command of this checkout.
var helmPath, envoyPath, commandPath string

func TestMain(m *testing.M) {
	flag.Parse()
	if os.Getenv("SKIP_HELM") == "1" {
		fmt.Fprintln(os.Stderr, "SKIP_HELM=1: the tests of the charts are left out")
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

func findPrograms() (err error) {
	if helmPath, err = find("HELM", "helm"); err != nil {
		return err
	}
	if os.Getenv("SKIP_ENVOY") == "1" {
		fmt.Fprintln(os.Stderr, "SKIP_ENVOY=1: the tests with a real Envoy are left out")
	} else if envoyPath, err = find("ENVOY", "envoy"); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "xdsready-deploy-")
	if err != nil {
		return err
	}
	commandPath = filepath.Join(dir, "xdsready")
	build := exec.Command("go", "build", "-o", commandPath, "./cmd/xdsready")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building the command: %w\n%s", err, out)
	}
	return nil
}

// find returns the program that a variable names, or else that of bin/.
func find(variable, name string) (string, error) {
	path := os.Getenv(variable)
	if path == "" {
		path = filepath.Join("..", "..", "bin", name)
	}
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("no %s: %w: run make %s, or set %s=/path/to/%s, or SKIP_%s=1", name, err, name, variable, name, variable)
	}
	return path, nil
}

// needsEnvoy skips a test if SKIP_ENVOY=1 says so.
func needsEnvoy(t *testing.T) {
	t.Helper()
	if envoyPath == "" {
		t.Skip("SKIP_ENVOY=1")
	}
}
