package envoy

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/xdsready/xdsready/test/loopback"
)

// command is a running `xdsready serve`.
type command struct {
	*process
	xds, http, admin string // host:port
	dir              string // the config directory
}

// startServe runs `xdsready serve` on a directory with these files, whose names
// may be GROUP/FILE.
func startServe(t *testing.T, files map[string]string, flags ...string) *command {
	t.Helper()
	c := &command{dir: t.TempDir(), xds: loopback.Address(t), http: loopback.Address(t), admin: loopback.Address(t)}
	for name, text := range files {
		c.write(t, name, text)
	}
	args := append([]string{"serve", "--source", "dir:" + c.dir, "--xds-address", c.xds, "--http-address", c.http,
		"--admin-address", c.admin, "--drain-delay", "0s", "--drain-window", "0s"}, flags...)
	c.process = start(t, "xdsready", commandPath, args...)
	eventually(t, "an answer of /livez", func() bool {
		select {
		case <-c.ended:
			t.Fatalf("xdsready has ended: %v\n%s", c.err, c.tail())
		default:
		}
		code, _ := get("http://" + c.http + "/livez")
		return code == http.StatusOK
	})
	return c
}

// write puts a file into the config directory, in one step.
func (c *command) write(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(c.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".tmp", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		t.Fatal(err)
	}
}

// ready reports whether /readyz answers 200.
func (c *command) ready() bool {
	code, _ := get("http://" + c.http + "/readyz")
	return code == http.StatusOK
}

// says reports whether the answer for a path contains text.
func (c *command) says(path, text string) bool {
	_, body := get("http://" + c.http + path)
	return strings.Contains(body, text)
}

// wantNothingSent checks that no resource was sent.
func (c *command) wantNothingSent(t *testing.T) {
	t.Helper()
	_, metrics := get("http://" + c.http + "/metrics")
	for line := range strings.Lines(metrics) {
		if strings.HasPrefix(line, "xdsready_response_bytes_total") && !strings.HasSuffix(line, " 0\n") {
			t.Errorf("resources were sent to a proxy that has them: %s", line)
		}
	}
}
