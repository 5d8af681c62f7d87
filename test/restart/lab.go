package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// size is how much is measured, for how long.
type size struct {
	simulated int           // proxies
	real      int           // Envoys
	services  int           // clusters, load assignments and routes of each proxy
	delay     time.Duration // --drain-delay
	window    time.Duration // --drain-window
	settling  time.Duration // after the last restart, until streams are counted
	crashes   int           // how many times one of two replicas is killed
	openings  int           // how many times a gate opens in front of all proxies
	warming   time.Duration // for which probes run before anything happens
}

// full is what is measured unless flags say otherwise.
var full = size{
	simulated: 1000, real: 10, services: 100,
	delay: 5 * time.Second, window: 10 * time.Second, settling: 2 * time.Minute, crashes: 5, openings: 3, warming: 2 * time.Second,
}

// lab is where programs are measured: a directory with the command, configs and
// logs.
type lab struct {
	size
	directory string
	envoyPath string
	command   string // path of xdsready
	seed      uint64
	progress  io.Writer
	began     time.Time
	report    report
}

// openLab builds the command, unless there is one. The caller closes the lab.
func openLab(ctx context.Context, o options, progress io.Writer) (*lab, error) {
	envoy := os.Getenv("ENVOY")
	if _, err := os.Stat(envoy); err != nil {
		return nil, fmt.Errorf("ENVOY is not the path of an Envoy, as `make restart` sets it: %w", err)
	}
	directory, err := os.MkdirTemp("", "xdsready-restart-")
	if err != nil {
		return nil, err
	}
	l := &lab{
		size: o.size, directory: directory, envoyPath: envoy, command: o.binary,
		seed: o.seed, progress: progress, began: time.Now(),
	}
	if o.binary != "" {
		return l, nil
	}
	l.command = filepath.Join(directory, "xdsready")
	build := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", l.command,
		"github.com/xdsready/xdsready/cmd/xdsready")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("building the command: %w\n%s", err, out), l.close())
	}
	return l, nil
}

func (l *lab) close() error { return os.RemoveAll(l.directory) }

// say tells what is being done.
func (l *lab) say(format string, values ...any) {
	fmt.Fprintf(l.progress, "[%5.1f s] %s\n", time.Since(l.began).Seconds(), fmt.Sprintf(format, values...))
}

// pause waits, as part of what is measured.
func pause(ctx context.Context, length time.Duration) error {
	select {
	case <-time.After(length):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
