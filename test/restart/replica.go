package main

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/xdsready/xdsready/test/loopback"
)

// replica is one `xdsready serve` after another on the same addresses. That is
// harsher than a Deployment that starts the successor first: while a replica is
// away its address refuses connections and is still on every proxy's list, as it
// is where DNS answers are cached.
type replica struct {
	*process
	program   string
	arguments []string
	log       string
	xds       string // address
	http      string // address
}

// newReplica makes one that reads the directory and is not started yet.
func (c *crowd) newReplica(ctx context.Context, name, directory string) (*replica, error) {
	r := &replica{program: c.command, log: filepath.Join(c.directory, name+".log")}
	for _, address := range []*string{&r.xds, &r.http} {
		var err error
		if *address, err = loopback.Reserve(ctx); err != nil {
			return nil, err
		}
	}
	r.arguments = []string{
		"serve", "--source", "dir:" + directory, "--xds-address", r.xds, "--http-address", r.http, "--admin-address", "",
		"--drain-delay", c.delay.String(), "--drain-window", c.window.String(),
	}
	return r, nil
}

// peerFlags tell a replica of all replicas.
func peerFlags(addresses []string) []string { return []string{"--peers", strings.Join(addresses, ",")} }

// start starts the replica, and kills it at the end of the context at the latest.
func (r *replica) start(ctx context.Context) (err error) {
	r.process, err = start(ctx, r.log, r.program, r.arguments...)
	return err
}

// end kills the replica if it runs.
func (r *replica) end() {
	if r.process != nil {
		r.kill()
	}
}

// awaitReady waits for the first 200 of /readyz.
func (r *replica) awaitReady(ctx context.Context) error {
	return until(ctx, "a replica is ready", func() (bool, error) {
		code, _, err := get(ctx, "http://"+r.http+"/readyz")
		return err == nil && code == http.StatusOK, r.alive()
	})
}

// restart ends the replica as the kubelet does, waits until it has drained, and
// starts it again. It returns how long the drain took.
func (r *replica) restart(ctx context.Context) (drained time.Duration, err error) {
	began := time.Now()
	r.signal(syscall.SIGTERM)
	if err := r.wait(ctx); err != nil {
		return 0, err
	}
	drained = time.Since(began)
	if r.err != nil {
		return 0, r.alive()
	}
	if err := r.start(ctx); err != nil {
		return 0, err
	}
	return drained, r.awaitReady(ctx)
}

// metrics returns the samples of the replica by name and labels.
func (r *replica) metrics(ctx context.Context) (samples, error) {
	_, text, err := get(ctx, "http://"+r.http+"/metrics")
	return parseSamples(text), err
}

// samples are the values of metrics by `name{labels}`.
type samples map[string]float64

func parseSamples(text string) samples {
	values := samples{}
	for line := range strings.Lines(text) {
		var value float64
		series, number, _ := strings.Cut(strings.TrimSpace(line), " ")
		if _, err := fmt.Sscan(number, &value); err == nil && !strings.HasPrefix(line, "#") {
			values[series] = value
		}
	}
	return values
}

// sum adds up all series of a metric; known is false if there is none.
func (s samples) sum(name string) (sum float64, known bool) {
	for series, value := range s {
		if series == name || strings.HasPrefix(series, name+"{") {
			sum += value
			known = true
		}
	}
	return sum, known
}
