package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

// TestMain is also the child process of the tests: a benchmark starts the
// program that it is part of.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && roles[os.Args[1]] != nil {
		if code := bench(context.Background(), tiny, os.Args[1:], os.Stdin, os.Stdout, os.Stderr); code != exitMet {
			panic("the child process has failed") // which ends it with the same exit code
		}
		return
	}
	// The race detector lets each process linger for 1 s at its end.
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// tiny takes a second. Its numbers mean nothing.
var tiny = scale{
	loops: 2, loop: 10 * time.Microsecond, rounds: 2,
	openings: 2, polledOpenings: 1, checks: 3,
	streams: 20, bigStreams: 4, connections: 2,
	sessions: 1, proxies: 5, services: 10, changes: 2, shrink: 1000,
	clusterServices: 40, clusterRoutes: 20, starts: 1, settling: time.Second, updates: 3, steady: time.Second,
}

// call runs the program with tiny sizes.
func call(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = bench(t.Context(), tiny, args, strings.NewReader(""), &out, &err)
	return code, out.String(), err.String()
}

// suiteNames are the names of all rows.
func suiteNames() []string {
	var names []string
	for _, b := range suite {
		names = append(names, b.names()...)
	}
	return names
}

func TestJSONHasEveryRowWithBothItsNumbers(t *testing.T) {
	code, stdout, stderr := call(t, "--output", "json", "--only", `^[^k][^/]*/`) // kubernetes… have a test of their own
	var r report
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatalf("standard output is no JSON (exit code %d): %v\n%s%s", code, err, stdout, stderr)
	}
	var names []string
	missed := 0
	for i, row := range r.Rows {
		names = append(names, row.Name)
		spec := specOf(row.Name)
		peer := 0.0
		if row.PeerValue != nil {
			peer = *row.PeerValue
		}
		if row.Result == miss {
			missed++
		}
		if diff := cmp.Diff(spec.judge(measurement{row.Ours, peer}), row); diff != "" {
			t.Errorf("row %d differs from what its numbers say (-want +got):\n%s", i, diff)
		}
		if !noisy.MatchString(row.Name) && (row.Ours < 0 || spec.peer != "" && peer <= 0) {
			t.Errorf("%s: ours is %v and the peer's %v: nothing was measured", row.Name, row.Ours, peer)
		}
	}
	want := slices.DeleteFunc(suiteNames(), func(name string) bool { return strings.HasPrefix(name, needsCluster) })
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if r.Missed != missed {
		t.Errorf("missed is %d, want the %d rows whose result is a miss", r.Missed, missed)
	}
	if want := min(missed, 1); code != want {
		t.Errorf("exit code %d, want %d with %d targets missed", code, want, missed)
	}
	for _, module := range peerModules {
		if r.Peers[module] == "" {
			t.Errorf("the version of %s is missing", module)
		}
	}
}

// noisy are the rows whose numbers are differences that may vanish with tiny sizes.
var noisy = regexp.MustCompile("^(held|idle)/")

// specOf returns the row of that name, and an empty one if there is none.
func specOf(name string) spec {
	for _, b := range suite {
		if i := slices.Index(b.names(), name); i >= 0 {
			return b.rows[i]
		}
	}
	return spec{}
}

func TestTheTableIsAlignedAndHasTheRowsThatWereAskedFor(t *testing.T) {
	_, stdout, stderr := call(t, "--only", "^gate/(open|interceptor)$")
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	if len(lines) != 7 {
		t.Fatalf("got %d lines, want 7: machine, heading, 2 rows, sum and 2 empty ones\n%s%s", len(lines), stdout, stderr)
	}
	heading, rows := lines[2], lines[3:5]
	for i, name := range []string{"gate/open", "gate/interceptor"} {
		if !strings.HasPrefix(rows[i], name+" ") {
			t.Errorf("row %d is %q, want %s", i, rows[i], name)
		}
		for _, column := range []string{"ROW", "WHAT", "OURS", "PEER", "RATIO", "TARGET", "RESULT"} {
			at := strings.Index(heading, column)
			if at < 0 {
				t.Fatalf("the heading %q has no column %s", heading, column)
			}
			cell := []rune(rows[i])[at:]
			if cell[0] == ' ' || at > 0 && []rune(rows[i])[at-1] != ' ' {
				t.Errorf("column %s of %q is not aligned with %q", column, rows[i], heading)
			}
		}
	}
	if !strings.HasSuffix(strings.TrimSpace(rows[0]), "≤ 2 ns  pass") && !strings.HasSuffix(rows[0], "miss") {
		t.Errorf("row %q does not end with its target and result", rows[0])
	}
	if !strings.HasSuffix(rows[1], "-       -") {
		t.Errorf("row %q has no target and should not end with a result", rows[1])
	}
	if !strings.Contains(stderr, " s] gate/ready gate/open") {
		t.Errorf("standard error does not say what is being measured: %q", stderr)
	}
}

func TestListMeasuresNothing(t *testing.T) {
	code, stdout, stderr := call(t, "--list")
	var names []string
	for line := range strings.Lines(stdout) {
		names = append(names, strings.Fields(line)[0])
	}
	if diff := cmp.Diff(suiteNames(), names); diff != "" || code != exitMet || stderr != "" {
		t.Errorf("exit code %d, standard error %q, rows (-want +got):\n%s", code, stderr, diff)
	}
}

func TestArguments(t *testing.T) {
	for _, test := range []struct {
		name   string
		args   []string
		code   int
		stderr string
	}{
		{"help is no fault", []string{"-h"}, exitMet, "-only regexp"},
		{"an unknown flag is named", []string{"--fast"}, exitFault, "bench: flag provided but not defined: -fast"},
		{"an argument is one too many", []string{"gate"}, exitFault, `bench: unknown argument "gate"`},
		{"a broken pattern", []string{"--only", "("}, exitFault, "bench: --only: error parsing regexp"},
		{"a pattern that no row matches", []string{"--only", "speed"}, exitFault, `bench: --only: no row matches "speed"`},
		{"an unknown format", []string{"--output", "csv"}, exitFault, `bench: --output: unknown format "csv"`},
		{"less than no proxies", []string{"--proxies", "-1"}, exitFault, "bench: --proxies: -1 is less than 1"},
		{"no directory to write to", []string{"--only", "gate/open", "--docs", "nowhere"}, exitFault, "bench: --docs: open nowhere/performance.md"},
		{"a fan-out server of an unknown kind", []string{fanoutArgument, `{"kind":"x"}`}, exitFault, `unknown kind of server "x"`},
		{"a client without a config", []string{clientArgument, "x"}, exitFault, "arguments of a child process"},
		{"a server process of no kind", []string{serverArgument}, exitFault, "no command"},
		{"a server process of an unknown kind", []string{serverArgument, "x"}, exitFault, `unknown kind of server "x"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, stdout, stderr := call(t, test.args...)
			if code != test.code || stdout != "" || !strings.Contains(stderr, test.stderr) {
				t.Errorf("exit code %d, standard output %q, standard error %q; want %d, none, and %q",
					code, stdout, stderr, test.code, test.stderr)
			}
		})
	}
}

func TestARunThatIsInterruptedIsAFault(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout, stderr bytes.Buffer
	code := bench(ctx, tiny, []string{"--only", "held|opening"}, strings.NewReader(""), &stdout, &stderr)
	if code != exitFault || stdout.Len() > 0 || !strings.Contains(stderr.String(), context.Canceled.Error()) {
		t.Errorf("exit code %d, standard output %q, standard error %q; want %d, none and why",
			code, stdout.String(), stderr.String(), exitFault)
	}
}
