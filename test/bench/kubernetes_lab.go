package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// lab is an API server that is full of objects, and the programs that read them.
type lab struct {
	directory  string // of the programs
	cluster    *child // kubernetes/cluster
	kubeconfig string
}

// clusterCommand is what kubernetes/cluster does next.
type clusterCommand struct {
	Settle bool          `json:"settle,omitempty"`
	Change int           `json:"change,omitempty"`
	Every  time.Duration `json:"every,omitempty"`
}

// clusterAnswer is what it says then.
type clusterAnswer struct {
	At       int64         `json:"at"` // when the first change was sent, in Unix nanoseconds
	Took     time.Duration `json:"took"`
	Assigned string        `json:"assigned"` // the name of the load assignment of the last change
	Version  string        `json:"version"`  // the resource version that it got
}

// errNoAssets says how to get an API server.
var errNoAssets = errors.New("KUBEBUILDER_ASSETS is not set to the directory of kube-apiserver and etcd: `make bench-kubernetes` does that")

// openLab builds the programs and starts and fills an API server. The caller
// closes the lab.
func openLab(ctx context.Context, s scale) (*lab, error) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		return nil, errNoAssets
	}
	directory, err := os.MkdirTemp("", "xdsready-bench-")
	if err != nil {
		return nil, err
	}
	l := &lab{directory: directory}
	if err := l.build(ctx); err != nil {
		return nil, errors.Join(err, l.close())
	}
	if err := l.startCluster(ctx, s); err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

// The packages of the programs.
const (
	commandPackage = "github.com/xdsready/xdsready/cmd/xdsready"
	peerPackages   = "github.com/xdsready/xdsready/test/bench/kubernetes/"
)

// build builds all programs into the directory.
func (l *lab) build(ctx context.Context) error {
	_, err := output(ctx, "go", "build", "-buildvcs=false", "-o", l.directory+string(filepath.Separator),
		commandPackage, peerPackages+"cluster", peerPackages+"informers", peerPackages+"manager")
	return err
}

// output runs a program and returns what it prints.
func output(ctx context.Context, name string, args ...string) (string, error) {
	var problems strings.Builder
	command := exec.CommandContext(ctx, name, args...)
	command.Stderr = &problems
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(command.Args, " "), err, problems.String())
	}
	return strings.TrimSpace(string(out)), nil
}

func (l *lab) startCluster(ctx context.Context, s scale) error {
	module, err := output(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api")
	if err != nil {
		return err
	}
	command := exec.CommandContext(ctx, l.program("cluster"),
		"--crds", filepath.Join(module, "config", "crd", "standard"),
		"--services", strconv.Itoa(s.clusterServices), "--routes", strconv.Itoa(s.clusterRoutes))
	endGently(command)
	cluster, err := converse("the API server", command)
	if err != nil {
		return err
	}
	l.cluster = cluster
	return cluster.hear(&l.kubeconfig)
}

// endGently lets a program end what it has started itself when its context ends.
func endGently(command *exec.Cmd) {
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = patience
}

func (l *lab) program(name string) string { return filepath.Join(l.directory, name) }

// do lets the API server's program carry out a command.
func (l *lab) do(c clusterCommand) (a clusterAnswer, err error) {
	err = l.cluster.ask(c, &a)
	return a, err
}

// close stops the API server and removes the programs.
func (l *lab) close() (err error) {
	if l.cluster != nil {
		err = l.cluster.stop()
	}
	return errors.Join(err, os.RemoveAll(l.directory))
}

// writeStatuses starts xdsready once, until the status of all routes is written:
// a replica that starts in a cluster in use finds it there.
func (l *lab) writeStatuses(ctx context.Context) (err error) {
	p, err := l.ours(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	if _, err := p.awaitReady(ctx); err != nil {
		return err
	}
	_, err = l.do(clusterCommand{Settle: true})
	return err
}
