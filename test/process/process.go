// Package process runs real programs in tests, and asks them over HTTP until
// they answer as they should.
package process

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Limit is how long a process may take for anything that must happen.
const Limit = 30 * time.Second

// Process is a running program.
type Process struct {
	command *exec.Cmd
	ended   chan struct{} // closed when it has exited
	err     error         // how it exited; set before ended is closed
}

// Start starts the program at path and kills it when the test ends. What it
// prints is shown if the test fails.
func Start(tb testing.TB, path string, arguments ...string) *Process {
	tb.Helper()
	log := &journal{}
	p := &Process{command: exec.CommandContext(tb.Context(), path, arguments...), ended: make(chan struct{})}
	p.command.Stdout, p.command.Stderr = log, log
	if err := p.command.Start(); err != nil {
		tb.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		p.err = p.command.Wait()
	}()
	tb.Cleanup(func() {
		<-p.ended // the test's context has killed it
		if tb.Failed() {
			tb.Logf("%s printed:\n%s", path, log)
		}
	})
	return p
}

// Terminate sends SIGTERM, as the kubelet does.
func (p *Process) Terminate(tb testing.TB) {
	tb.Helper()
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		tb.Fatal(err)
	}
}

// WantExit waits until the process has ended, with exit code 0.
func (p *Process) WantExit(tb testing.TB) {
	tb.Helper()
	select {
	case <-p.ended:
		if p.err != nil {
			tb.Errorf("the process ended with %v, want exit code 0", p.err)
		}
	case <-time.After(Limit):
		tb.Errorf("the process has not ended after %v", Limit)
	}
}

// Until asks a URL of the process until it answers as wanted; what says how.
func (p *Process) Until(tb testing.TB, url, what string, holds func(code int, body string) bool) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), Limit)
	defer cancel()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	last := "none"
	for {
		code, body, err := get(ctx, url)
		switch {
		case err == nil && holds(code, body):
			return
		case err == nil:
			last = fmt.Sprintf("%d %q", code, body)
		}
		select {
		case <-ticker.C:
		case <-p.ended:
			tb.Fatalf("the process ended (%v) before %s was %s", p.err, url, what)
		case <-ctx.Done():
			tb.Fatalf("not within %v: %s %s; last answer: %s", Limit, url, what, last)
		}
	}
}

// get returns the answer to one request.
func get(ctx context.Context, url string) (code int, body string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	request.Close = true // leave no idle connection behind
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	all, err := io.ReadAll(response.Body)
	return response.StatusCode, string(all), err
}

// journal is what a process has written so far.
type journal struct {
	mu      sync.Mutex
	written bytes.Buffer // guarded by mu
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.written.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.written.String()
}
