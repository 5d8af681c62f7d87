package cluster

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if os.Getenv("E2E") != "1" {
		fmt.Fprintln(os.Stderr, "the tests on a real Kubernetes are left out: run make e2e")
		return
	}
	if err := loadImages(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}
