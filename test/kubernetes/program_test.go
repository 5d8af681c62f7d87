package kubernetes

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/xdsready/xdsready/test/process"
)

// program is a running `xdsready serve --source kubernetes`.
type program struct {
	*process.Process
	xds, http string    // host:port
	answered  time.Time // when its HTTP server first did
}

// serve starts the program as the user of a kubeconfig file.
func serve(t *testing.T, kubeconfig string, flags ...string) *program {
	t.Helper()
	return start(t, command, kubeconfig, flags...)
}

// start starts a build of the program and waits until its HTTP server answers.
func start(t *testing.T, path, kubeconfig string, flags ...string) *program {
	t.Helper()
	host := newHost()
	p := &program{xds: net.JoinHostPort(host, "18000"), http: net.JoinHostPort(host, "8080")}
	p.Process = process.Start(t, path, append([]string{
		"serve", "--source", "kubernetes", "--kubeconfig", kubeconfig, "--drain-delay", "0s",
		"--xds-address", p.xds, "--http-address", p.http, "--admin-address", "",
	}, flags...)...)
	p.ask(t, "/livez")
	p.answered = time.Now()
	return p
}

// hosts counts those that were given out; hostNetwork makes them others than
// those of a run of these tests at the same time.
var (
	hosts       atomic.Int64
	hostNetwork = 1 + rand.IntN(254)
)

// newHost returns a loopback IP address that nothing else uses, so that on it
// every port is free and stays free.
func newHost() string {
	n := hosts.Add(1)
	return fmt.Sprintf("127.%d.%d.%d", hostNetwork, n/256, n%256)
}

// until waits until the answer for a path is as wanted; what says how.
func (p *program) until(t *testing.T, path, what string, holds func(code int, body string) bool) {
	t.Helper()
	p.Until(t, "http://"+p.http+path, what, holds)
}

// ask returns the answer for a path.
func (p *program) ask(t *testing.T, path string) (code int, body string) {
	t.Helper()
	p.until(t, path, "answered", func(c int, b string) bool {
		code, body = c, b
		return true
	})
	return code, body
}

// wantReady waits until /readyz is green.
func (p *program) wantReady(t *testing.T) {
	t.Helper()
	p.until(t, "/readyz", "green", func(code int, _ string) bool { return code == http.StatusOK })
}

// ready reports whether /readyz is green now.
func (p *program) ready(t *testing.T) bool {
	t.Helper()
	code, _ := p.ask(t, "/readyz")
	return code == http.StatusOK
}

// wantNamed waits until /readyz?verbose is red and has a line with all of these
// words, and returns how long that took since the program first answered.
func (p *program) wantNamed(t *testing.T, words ...string) time.Duration {
	t.Helper()
	p.until(t, "/readyz?verbose", "red with "+strings.Join(words, ", "), func(code int, body string) bool {
		return code == http.StatusServiceUnavailable && hasLine(body, words...)
	})
	return time.Since(p.answered)
}

// hasLine reports whether a line of text has all the words.
func hasLine(text string, words ...string) bool {
	for line := range strings.Lines(text) {
		if !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(line, word) }) {
			return true
		}
	}
	return false
}

// metric returns the value of a sample, named with its labels as /metrics shows
// it; false if there is none.
func (p *program) metric(t *testing.T, sample string) (float64, bool) {
	t.Helper()
	_, body := p.ask(t, "/metrics")
	for line := range strings.Lines(body) {
		if text, ok := strings.CutPrefix(line, sample+" "); ok {
			value, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
			if err != nil {
				t.Fatalf("/metrics: %q: %v", line, err)
			}
			return value, true
		}
	}
	return 0, false
}

// eventually polls until done is true, for what happens in other processes.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	if !within(process.Limit, done) {
		t.Fatalf("%s: not within %v", what, process.Limit)
	}
}

// never polls for d and fails the test if happened is ever true.
func never(t *testing.T, what string, d time.Duration, happened func() bool) {
	t.Helper()
	if within(d, happened) {
		t.Fatalf("%s, which must not happen", what)
	}
}

// within polls until done is true or d is over.
func within(d time.Duration, done func() bool) bool {
	deadline := time.After(d)
	tick := time.NewTicker(20 * time.Millisecond)
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

// sorted returns the keys of a map in order, which is how they are compared.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
