// Package gomod tests what a module gets that requires the library: it makes
// one do so and runs the go command in it, outside of the workspace.
package gomod

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Library is the library's module path.
const Library = "github.com/xdsready/xdsready"

// Require makes the module in dir, a copy, require the library of this
// checkout. It is called from the directory of a test's package.
func Require(tb testing.TB, dir string) {
	tb.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		tb.Fatal(err)
	}
	Go(tb, dir, "mod", "edit", "-require", Library+"@v0.0.0", "-replace", Library+"="+root)

	// With the library's checksums, none of what it requires must be asked for.
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		tb.Fatal(err)
	}
	file, err := os.OpenFile(filepath.Join(dir, "go.sum"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		tb.Fatal(err)
	}
	_, err = file.Write(sums)
	if err := errors.Join(err, file.Close()); err != nil {
		tb.Fatal(err)
	}
}

// Go runs the go command in dir and returns what it printed. It prints to
// standard error how long that took, at once: some take minutes on a machine
// that has never built the module.
func Go(tb testing.TB, dir string, arguments ...string) string {
	tb.Helper()
	command := exec.CommandContext(tb.Context(), "go", arguments...)
	command.Dir = dir
	// A directory that changes from run to run would miss the build cache: -trimpath.
	command.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod -trimpath -buildvcs=false")
	began := time.Now()
	output, err := command.Output()
	fmt.Fprintf(os.Stderr, "%v: %s\n", time.Since(began).Round(time.Millisecond), command)
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			output = append(output, exit.Stderr...)
		}
		tb.Fatalf("%s: %v\n%s", command, err, output)
	}
	return string(output)
}
