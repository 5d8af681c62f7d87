package kubernetes

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"go.uber.org/goleak"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
)

// root is the top of the repository.
const root = "../.."

// What all tests share; suite.Run sets it up.
var (
	// command is the program under test, and ungatedCommand a build of it that
	// can be told to run without its gate.
	command, ungatedCommand string
	// crdDirectory has the CRDs of the Gateway API.
	crdDirectory string
	// shared is the API server of all tests that do not harm it. Each of them has
	// a controller name, and so Gateways, of its own.
	shared *apiServer
)

func TestMain(m *testing.M) {
	flag.Parse()
	ctrllog.SetLogger(logr.Discard())
	// The tests wait more than they work: more of them at a time than there are
	// processors.
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		fmt.Fprintln(os.Stderr, "KUBEBUILDER_ASSETS is not set: the tests with a real kube-apiserver are left out; `make kubernetes` runs them")
		return
	}
	goleak.VerifyTestMain(suite{m})
}

// suite is the tests between the start and the end of what they share, so that
// the search for leaks comes after both.
type suite struct{ *testing.M }

// Run implements goleak.TestingM.
func (s suite) Run() (code int) {
	dir, err := os.MkdirTemp("", "xdsready-test-")
	if err == nil {
		defer os.RemoveAll(dir)
		err = prepare(dir)
	}
	if err == nil {
		shared, err = newAPIServer(dir, apiOptions{})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer func() {
		if err := shared.environment.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}()
	return s.M.Run()
}

// prepare builds the programs into dir, and finds the CRDs.
func prepare(dir string) error {
	for _, build := range []struct {
		path *string
		name string
		tags string
	}{{&command, "xdsready", ""}, {&ungatedCommand, "xdsready-ungated", "xdsready_testing"}} {
		*build.path = filepath.Join(dir, build.name)
		if _, err := output("go", "build", "-tags", build.tags, "-o", *build.path, "./cmd/xdsready"); err != nil {
			return err
		}
	}
	var err error
	crdDirectory, err = output("hack/cluster", "crds")
	return err
}

// output runs a program at the top of the repository and returns what it prints.
func output(name string, arguments ...string) (string, error) {
	program := exec.Command(name, arguments...)
	program.Dir = root
	var problems strings.Builder
	program.Stderr = &problems
	out, err := program.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(arguments, " "), err, problems.String())
	}
	return strings.TrimSpace(string(out)), nil
}
