package peers

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/xdsready/xdsready/test/loopback"
	"github.com/xdsready/xdsready/test/process"
)

// replica is a running `xdsready serve` with a config directory of its own.
type replica struct {
	*process.Process
	xds, http, directory string
}

// newReplica chooses the addresses and the directory of a replica.
func newReplica(t *testing.T) *replica {
	t.Helper()
	return &replica{xds: loopback.Address(t), http: loopback.Address(t), directory: t.TempDir()}
}

// configure makes the replica's config clusters with a timeout each.
func (r *replica) configure(t *testing.T, timeouts ...time.Duration) {
	t.Helper()
	config := "resources:\n"
	for i, timeout := range timeouts {
		config += fmt.Sprintf("- {'@type': type.googleapis.com/envoy.config.cluster.v3.Cluster, name: c%d, connect_timeout: %s}\n", i, timeout)
	}
	file := filepath.Join(r.directory, "clusters.yaml")
	if err := os.WriteFile(file+".new", []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

// start starts the replica with these peers, and waits until it is ready.
func (r *replica) start(t *testing.T, peers ...*replica) {
	t.Helper()
	var list []string
	for _, p := range peers {
		list = append(list, p.xds)
	}
	r.Process = process.Start(t, command, "serve", "--source", "dir:"+r.directory,
		"--xds-address", r.xds, "--http-address", r.http, "--admin-address", "", "--drain-window", "0s",
		"--peers", strings.Join(list, ","))
	r.until(t, "/readyz", "green", func(code int, _ string) bool { return code == http.StatusOK })
}

func (r *replica) until(t *testing.T, path, what string, holds func(code int, body string) bool) {
	t.Helper()
	r.Until(t, "http://"+r.http+path, what, holds)
}

// shows waits until the metrics, the JSON and the HTML of the status page, and
// `xdsready status`, say what they should of the peer.
func (r *replica) shows(t *testing.T, parity, text string) {
	t.Helper()
	r.until(t, "/metrics", "parity "+parity, func(_ int, body string) bool {
		return strings.Contains(body, "\nxdsready_peer_parity "+parity+"\n")
	})
	for _, format := range []string{"json", "html"} {
		r.until(t, "/?format="+format, text, func(_ int, body string) bool { return strings.Contains(body, text) })
	}
	status, err := exec.CommandContext(t.Context(), command, "status", "--http-address", r.http, "--admin-address", "").CombinedOutput()
	if err != nil || !strings.Contains(string(status), text) {
		t.Errorf("xdsready status: %v, does not say %q:\n%s", err, text, status)
	}
}

// Two replicas whose config differs say so, each of the other, until it does not.
func TestDifferenceIsShown(t *testing.T) {
	a, b := newReplica(t), newReplica(t)
	a.configure(t, time.Second, time.Second, time.Second, time.Second)
	b.configure(t, time.Second, 2*time.Second, 2*time.Second)
	a.start(t, a, b)
	b.start(t, a, b)
	for _, r := range []*replica{a, b} {
		r.shows(t, "0", "3 clusters of group all")
	}
	b.configure(t, time.Second, time.Second, time.Second, time.Second)
	for _, r := range []*replica{a, b} {
		r.shows(t, "1", "ready")
		r.until(t, "/?format=json", "without a difference", func(_ int, body string) bool { return !strings.Contains(body, "of group all") })
	}
	a.Terminate(t)
	b.until(t, "/metrics", "told that the peer drains", func(_ int, body string) bool {
		return strings.Contains(body, `xdsready_peers{state="draining"} 1`)
	})
	a.WantExit(t)
	b.shows(t, "1", "unreachable")
}
