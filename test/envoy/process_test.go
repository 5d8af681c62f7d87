package envoy

import (
	"bytes"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait for something that must happen.
const patience = 30 * time.Second

// process is a program that a test started and ends.
type process struct {
	name  string
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has ended; then err says how
	err   error

	mu  sync.Mutex // guards log
	log bytes.Buffer
}

// start runs a program until the test ends; stdout and stderr go to its log,
// which is shown if the test fails.
func start(t *testing.T, name, path string, args ...string) *process {
	t.Helper()
	p := &process{name: name, cmd: exec.Command(path, args...), ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p, p
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("starting %s: %v", name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.stop(t, syscall.SIGTERM)
		if t.Failed() {
			t.Logf("log of %s:\n%s", name, p.tail())
		}
	})
	return p
}

// Write implements io.Writer for the process's output.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(b)
}

// output returns all that the process has written so far.
func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// tail returns the end of the output.
func (p *process) tail() string {
	lines := strings.Split(p.output(), "\n")
	return strings.Join(lines[max(0, len(lines)-60):], "\n")
}

// stop signals the process and waits for its end; one that does not end within
// patience is killed. It does nothing for a process that has ended.
func (p *process) stop(t *testing.T, signal syscall.Signal) {
	t.Helper()
	_ = p.cmd.Process.Signal(signal) // an error means that it has ended
	select {
	case <-p.ended:
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		<-p.ended
		t.Errorf("%s did not end within %v of %v and was killed", p.name, patience, signal)
	}
}

// eventually polls until done is true, and returns how long that took: for what
// other processes do. It fails the test after patience.
func eventually(t *testing.T, what string, done func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	if !within(patience, done) {
		t.Fatalf("%s did not happen within %v", what, patience)
	}
	return time.Since(began)
}

// within polls until done is true or d is over.
func within(d time.Duration, done func() bool) bool {
	deadline := time.After(d)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-deadline:
			return done()
		}
	}
	return true
}

// never polls for d and fails the test if happened is ever true.
func never(t *testing.T, what string, d time.Duration, happened func() bool) {
	t.Helper()
	if within(d, happened) {
		t.Fatalf("%s, which must not happen for %v", what, d)
	}
}
