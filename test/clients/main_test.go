package clients

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

// fetched is where `make clients` puts the libraries of the clients.
var fetched string

func TestMain(m *testing.M) {
	if target := os.Getenv(targetVariable); target != "" {
		runGoClient(target) // this process is the client that a test started
		return
	}
	flag.Parse()
	if os.Getenv("SKIP_CLIENTS") == "1" {
		fmt.Fprintln(os.Stderr, "SKIP_CLIENTS=1: the tests with xDS clients other than Envoy are left out")
		return
	}
	if err := findClients(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

func findClients() (err error) {
	if fetched, err = filepath.Abs("../../bin/clients"); err != nil {
		return err
	}
	if _, err = os.Stat(fetched); err != nil {
		return fmt.Errorf("no xDS clients: %w: run make clients, or set SKIP_CLIENTS=1", err)
	}
	return nil
}
