package peers

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

// command is the program under test.
var command string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "xdsready-peers-")
	if err == nil {
		command = filepath.Join(dir, "xdsready")
		build := exec.Command("go", "build", "-o", command, "./cmd/xdsready")
		build.Dir, build.Stderr = "../..", os.Stderr
		err = build.Run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		http.DefaultClient.CloseIdleConnections()
		_ = os.RemoveAll(dir)
		os.Exit(code)
	}))
}
