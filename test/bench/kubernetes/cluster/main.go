// Command cluster runs a real API server that is full of Services, EndpointSlices
// and HTTPRoutes, for package bench:
//
//	KUBEBUILDER_ASSETS=DIRECTORY cluster --crds DIRECTORY
//
// It says in JSON, a value a line, where its kubeconfig is, then carries out one
// command after another, and ends with its input. KUBEBUILDER_ASSETS has
// kube-apiserver and etcd, as `hack/cluster binaries` builds them.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, in io.Reader, out io.Writer) (err error) {
	var size size
	flags := flag.NewFlagSet("cluster", flag.ContinueOnError)
	crds := flags.String("crds", "", "`directory` of the CRDs of the Gateway API")
	flags.IntVar(&size.services, "services", 10_000, "how many Services there are, each with an EndpointSlice of 5 endpoints")
	flags.IntVar(&size.routes, "routes", 2_000, "how many HTTPRoutes share the Services")
	if err := flags.Parse(args); err != nil {
		return err
	}
	directory, err := os.MkdirTemp("", "xdsready-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(directory)
	server, err := start(*crds)
	if err != nil {
		return fmt.Errorf("starting the API server: %w", err)
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	kubeconfig := filepath.Join(directory, "kubeconfig")
	if err := os.WriteFile(kubeconfig, server.KubeConfig, 0o600); err != nil {
		return err
	}
	config := rest.CopyConfig(server.Config)
	config.QPS = -1 // the API server has its own limits
	f, err := fill(ctx, config, size)
	if err != nil {
		return fmt.Errorf("filling the API server: %w", err)
	}
	if err := json.NewEncoder(out).Encode(kubeconfig); err != nil {
		return err
	}
	return f.obey(ctx, in, out)
}

// start starts etcd and the API server, and creates the CRDs.
func start(crds string) (*envtest.Environment, error) {
	server := &envtest.Environment{
		CRDDirectoryPaths: []string{crds}, ErrorIfCRDPathMissing: true, ControlPlaneStartTimeout: time.Minute,
	}
	server.ControlPlane.Etcd = &envtest.Etcd{}
	// What is measured should not depend on the disk.
	server.ControlPlane.Etcd.Configure().Append("unsafe-no-fsync", "true")
	_, err := server.Start()
	return server, err
}
