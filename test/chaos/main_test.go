package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

// programs are the directory of the two that are built for the run below; empty
// if it is left out.
var programs string

func TestMain(m *testing.M) {
	flag.Parse()
	if os.Getenv("SKIP_ENVOY") == "1" {
		fmt.Fprintln(os.Stderr, "SKIP_ENVOY=1: the run with real Envoys is left out")
	} else if err := build(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(programs)
		os.Exit(code)
	}))
}

func build() error {
	var err error
	if programs, err = os.MkdirTemp("", "xdsready-test-"); err != nil {
		return err
	}
	for _, source := range []string{"cmd/xdsready", "test/chaos/baseline"} {
		command := exec.Command("go", "build", "-o", programs+"/", "./"+source)
		command.Dir = filepath.Join("..", "..")
		if out, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("building %s: %w\n%s", source, err, out)
		}
	}
	return nil
}

// A short run with real processes: the promise is kept, and each world did all
// that was to be done.
func TestRun(t *testing.T) {
	if programs == "" {
		t.Skip("SKIP_ENVOY=1")
	}
	envoy := os.Getenv("ENVOY")
	if envoy == "" {
		envoy = filepath.Join("..", "..", "bin", "envoy")
	}
	var out, log bytes.Buffer
	code := chaos(t.Context(), []string{
		"--duration", "25s", "--seed", "3", "--envoys", "2", "--baseline-envoys", "1", "--output", "json",
		"--xdsready", filepath.Join(programs, "xdsready"), "--baseline", filepath.Join(programs, "baseline"), "--envoy", envoy,
		"--logs", t.TempDir(),
	}, &out, &log)
	if code != exitKept {
		t.Errorf("exit code %d, want %d:\n%s%s", code, exitKept, &log, &out)
	}
	var r report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("%v:\n%s%s", err, &log, &out)
	}
	var names []string
	for _, a := range r.Worlds {
		names = append(names, a.Name)
		if want := a.Envoys * 100; a.Requests < want { // a quarter of what a quiet machine does
			t.Errorf("%s: %d requests, want %d at least", a.Name, a.Requests, want)
		}
		if a.LongestSeconds == 0 || a.PushedBytes == 0 {
			t.Errorf("%s: the longest wait for an update is %v s, %d bytes were pushed: nothing was seen", a.Name, a.LongestSeconds, a.PushedBytes)
		}
	}
	if diff := cmp.Diff([]string{"xdsready", "no gate", "process is up"}, names); diff != "" {
		t.Errorf("worlds (-want +got):\n%s", diff)
	}
	if len(r.Events) == 0 || r.Changes < 10 {
		t.Errorf("events %v and %d changes: the run was too quiet", r.Events, r.Changes)
	}
}

func TestBadFlags(t *testing.T) {
	for name, args := range map[string][]string{
		"an argument":       {"now"},
		"one replica":       {"--replicas", "1"},
		"no Envoys":         {"--envoys", "0"},
		"an unknown output": {"--output", "yaml"},
		"an unknown flag":   {"--sead", "1"},
		"a program that is missing": {
			"--xdsready", "/nonexistent", "--logs", t.TempDir(), "--baseline-envoys", "0", "--duration", "1s",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if code := chaos(t.Context(), args, io.Discard, io.Discard); code != exitFault {
				t.Errorf("exit code %d, want %d", code, exitFault)
			}
		})
	}
}
