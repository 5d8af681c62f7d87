package cluster

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/go-logr/logr"
	"go.uber.org/goleak"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if os.Getenv("E2E") != "1" {
		fmt.Fprintln(os.Stderr, "the tests on a real Kubernetes are left out: run make e2e")
		return
	}
	log.SetLogger(logr.Discard()) // or the client says that it was not set
	if err := loadImages(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}
