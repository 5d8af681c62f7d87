package dashboards

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

// root is the top of the repository.
const root = "../.."

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// program returns the path of a program that a make target fetches into bin/,
// or the one that the environment variable names. Without it the test is
// skipped, and says why.
func program(t *testing.T, name, variable string) string {
	t.Helper()
	skip := "SKIP_" + variable
	if os.Getenv(skip) == "1" {
		t.Skipf("%s=1: what needs a real %s is left out", skip, name)
	}
	path := os.Getenv(variable)
	if path == "" {
		path = filepath.Join(root, "bin", name)
	}
	if _, err := os.Stat(path); err != nil {
		t.Skipf("there is no %s: run make %s, or set %s=/path/to/%s", path, name, variable, name)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// buildCommand returns a path to the command xdsready of this checkout.
func buildCommand(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "xdsready")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", path, "./cmd/xdsready")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the command: %v\n%s", err, out)
	}
	return path
}
