package world

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/xdsready/xdsready/test/chaos/schedule"
)

// lasting is a program that ends with SIGTERM only, and well.
const lasting = `trap 'exit 0' TERM; touch started; while :; do sleep 0.01; done`

// newReplica returns one that runs a shell script in its own directory.
func newReplica(t *testing.T, script string) *replica {
	t.Helper()
	dir := t.TempDir()
	input := &directory{path: filepath.Join(dir, "input"), files: map[string][]byte{}}
	if err := os.Mkdir(input.path, 0o700); err != nil {
		t.Fatal(err)
	}
	return &replica{
		command: []string{"sh", "-c", "cd " + dir + "; " + script},
		log:     filepath.Join(dir, "log"), input: input,
	}
}

// eventually polls until done is true.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// started reports whether the script has come to its loop, and forgets it.
func (r *replica) started() bool {
	return os.Remove(filepath.Join(filepath.Dir(r.log), "started")) == nil
}

func TestReplicaIsRestarted(t *testing.T) {
	r := newReplica(t, lasting)
	if err := r.up(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the start", r.started)
	for _, kind := range []schedule.Kind{schedule.Terminate, schedule.Kill, schedule.Blackout} {
		if err := r.happen(t.Context(), schedule.Event{Kind: kind}); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		eventually(t, "the start after "+string(kind), r.started)
	}
	if err := r.down(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if ends := r.unexpected(); len(ends) > 0 {
		t.Errorf("it is said to have ended by itself: %v", ends)
	}
}

func TestReplicaThatEndsByItselfIsAFaultAndRestarted(t *testing.T) {
	r := newReplica(t, "touch started; exit 3")
	if err := r.up(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the start", r.started)
	eventually(t, "another start", r.started)
	if err := r.down(syscall.SIGKILL); err != nil {
		t.Error(err)
	}
	if len(r.unexpected()) == 0 {
		t.Error("nobody says that it ended by itself")
	}
}

func TestReplicaWithoutItsDirectoryMayEnd(t *testing.T) {
	r := newReplica(t, "touch started; exit 2")
	if err := r.input.hide(); err != nil {
		t.Fatal(err)
	}
	if err := r.up(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the start", r.started)
	eventually(t, "another start", r.started)
	if err := r.down(syscall.SIGKILL); err != nil {
		t.Error(err)
	}
	if ends := r.unexpected(); len(ends) > 0 {
		t.Errorf("it is said to have ended for no reason: %v", ends)
	}
}

func TestReplicaThatDoesNotEndWellIsAFault(t *testing.T) {
	r := newReplica(t, `trap 'exit 4' TERM; touch started; while :; do sleep 0.01; done`)
	if err := r.up(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the start", r.started)
	if err := r.down(syscall.SIGTERM); err == nil {
		t.Error("exit code 4 after SIGTERM is taken for a good end")
	}
}
