package examples

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// limit is how long a process may take for anything that must happen.
const limit = 30 * time.Second

// process is a running example.
type process struct {
	xds    string // address for proxies
	probes string // URL of the /readyz that the kubelet asks
	reason string // URL of the /readyz that says why

	command *exec.Cmd
	exited  chan error // the result of Wait, once
	log     *journal
}

// start starts a program and ends it with the test. What it logs is shown if
// the test fails.
func start(t *testing.T, form, name string, arguments ...string) *process {
	t.Helper()
	xds, probes := freeAddress(t), freeAddress(t)
	reason := probes
	arguments = append(arguments, "-xds-address", xds, "-http-address", probes)
	if name == "embed-controller-runtime" {
		reason = freeAddress(t)
		arguments = append(arguments, "-metrics-address", reason)
	}
	p := &process{
		xds: xds, probes: "http://" + probes + "/readyz", reason: "http://" + reason + "/readyz",
		command: exec.Command(filepath.Join(binaries, form, name), arguments...),
		exited:  make(chan error, 1),
		log:     &journal{},
	}
	p.command.Stdout, p.command.Stderr = p.log, p.log
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.exited <- p.command.Wait()
	}()
	t.Cleanup(func() {
		_ = p.command.Process.Kill() // an error means that it has exited
		<-ended
		if t.Failed() {
			t.Logf("%s logged:\n%s", name, p.log)
		}
	})
	return p
}

// terminate sends SIGTERM, as the kubelet does.
func (p *process) terminate(t *testing.T) {
	t.Helper()
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
}

// wantExit waits until the process has ended without an error.
func (p *process) wantExit(t *testing.T) {
	t.Helper()
	select {
	case err := <-p.exited:
		if err != nil {
			t.Errorf("the process ended with %v, want exit code 0", err)
		}
	case <-time.After(limit):
		t.Errorf("the process did not end within %v of SIGTERM", limit)
	}
}

// untilProbe asks the kubelet's question until the answer is green, or red.
func (p *process) untilProbe(t *testing.T, green bool) {
	t.Helper()
	p.until(t, p.probes, fmt.Sprintf("green = %t", green), func(code int, _ string) bool {
		return code != 0 && (code == http.StatusOK) == green
	})
}

// untilRed waits until /readyz is red with a reason that has all the words.
func (p *process) untilRed(t *testing.T, words ...string) {
	t.Helper()
	p.until(t, p.reason, "red with "+strings.Join(words, ", "), func(code int, body string) bool {
		for _, word := range words {
			if !strings.Contains(body, word) {
				return false
			}
		}
		return code == http.StatusServiceUnavailable
	})
}

// until asks a URL until it answers as wanted.
func (p *process) until(t *testing.T, url, what string, holds func(code int, body string) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	last := "none"
	for {
		code, body := get(ctx, url)
		if holds(code, body) {
			return
		}
		if ctx.Err() == nil {
			last = fmt.Sprintf("%d %q", code, body)
		}
		select {
		case <-ticker.C:
		case err := <-p.exited:
			p.exited <- err
			t.Fatalf("the process ended (%v) before %s was %s", err, url, what)
		case <-ctx.Done():
			t.Fatalf("not within %v: %s %s; last answer: %s", limit, url, what, last)
		}
	}
}

// get returns the answer to one request, code 0 if there is none.
func get(ctx context.Context, url string) (code int, body string) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err.Error()
	}
	request.Close = true // leave no idle connection behind
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	all, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(all)
}

// freeAddress returns a loopback address that nothing listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
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
