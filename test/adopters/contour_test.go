package adopters

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	contour = "github.com/projectcontour/contour@v1.33.8"
	library = "github.com/xdsready/xdsready"
	most    = 30 // lines that the patch may add, everything counted
)

// TestContour patches Contour, builds its command, and runs its own tests of
// what is patched: its handler, its command, and the feature tests, which drive
// the handler through a real gRPC server. One test of ours is added. It takes
// a minute, and a few more when nothing is in Go's build cache.
func TestContour(t *testing.T) {
	source, err := os.ReadFile("testdata/contour-v1.33.8.patch")
	if err != nil {
		t.Fatal(err)
	}
	changes, added, err := parse(string(source))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the patch adds %d lines:\n%s", added, source)
	if added > most {
		t.Errorf("the patch adds %d lines, want at most %d", added, most)
	}

	dir := checkout(t, contour)
	if err := changes.apply(dir); err != nil {
		t.Fatal(err)
	}
	test, err := os.ReadFile("testdata/gate_test.go")
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "internal", "contour", "gate_test.go"), test)
	require(t, dir)

	run(t, dir, "go", "build", "-o", os.DevNull, "./cmd/contour")
	run(t, dir, "go", "test", "./cmd/contour", "./internal/contour", "./internal/featuretests/v3")
}

// checkout copies a module's source, from Go's module proxy or cache, to a
// directory where it may be changed.
func checkout(t *testing.T, module string) string {
	t.Helper()
	var downloaded struct{ Dir string }
	if err := json.Unmarshal(run(t, t.TempDir(), "go", "mod", "download", "-json", module), &downloaded); err != nil {
		t.Fatalf("go mod download -json: %v", err)
	}
	dir := t.TempDir()
	for _, needed := range []string{"go.mod", "go.sum", "apis", "cmd", "examples", "internal", "pkg"} {
		from, to := filepath.Join(downloaded.Dir, needed), filepath.Join(dir, needed)
		err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			target := to + strings.TrimPrefix(path, from)
			if err := os.MkdirAll(filepath.Dir(target), 0o750); err != nil {
				return err
			}
			return os.WriteFile(target, content, 0o600)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// require makes the module in dir require the library of this checkout.
func require(t *testing.T, dir string) {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	run(t, dir, "go", "mod", "edit", "-require", library+"@v0.0.0", "-replace", library+"="+root)

	// The checksums of what the library requires, so that none must be asked for.
	theirs, err := os.ReadFile(filepath.Join(dir, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	ours, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "go.sum"), append(theirs, ours...))
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// run runs a command in dir and returns what it printed. It says how long that
// took, at once: these are the long tests.
func run(t *testing.T, dir string, name string, arguments ...string) []byte {
	t.Helper()
	command := exec.CommandContext(t.Context(), name, arguments...)
	command.Dir = dir
	// Of this directory: paths that change from run to run would miss the build cache (-trimpath).
	command.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod -trimpath -buildvcs=false")
	fmt.Fprintf(os.Stderr, "adopters: %s …\n", command)
	began := time.Now()
	output, err := command.Output()
	fmt.Fprintf(os.Stderr, "adopters: … took %v\n", time.Since(began).Round(time.Second))
	if err != nil {
		var words []byte
		if exit, ok := err.(*exec.ExitError); ok {
			words = exit.Stderr
		}
		t.Fatalf("%s: %v\n%s%s", command, err, output, words)
	}
	t.Logf("%s\n%s", command, output)
	return output
}
