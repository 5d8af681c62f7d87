package controlplane

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/certtest"
)

// withTLS makes the options those of a replica with a certificate, in a directory
// of its own, that the CA asks every client for.
func withTLS(t *testing.T, ca *certtest.Authority, own certtest.Pair, peerSAN string) func(*Options) {
	t.Helper()
	dir := t.TempDir()
	own.Write(t, dir)
	certtest.Replace(t, filepath.Join(dir, "ca.crt"), ca.PEM)
	return func(o *Options) {
		o.TLSCert, o.TLSKey, o.TLSClientCA = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"), filepath.Join(dir, "ca.crt")
		o.GroupSANs, o.PeerSAN = []string{"all=proxy"}, peerSAN
		o.Peers = append(o.Peers, "127.0.0.1:1") // nothing listens there
	}
}

// Replicas with mTLS look at each other by their own certificate, whatever group
// that may take, and at nobody else.
func TestPeersWithMutualTLS(t *testing.T) {
	ca := certtest.NewAuthority(t)
	files := map[string]string{"a.yaml": cluster}
	first, _ := newPlane(t, files, withTLS(t, ca, ca.Issue(t, "first"), "control-plane"))
	start(t, first)
	await(t, first, "the gate's opening", first.registry.Ready)
	address, _, _ := first.Addresses()

	second, _ := newPlane(t, files, func(o *Options) {
		withTLS(t, ca, ca.Issue(t, "second"), "control-plane")(o)
		o.Peers = []string{address}
	})
	get := start(t, second)
	await(t, second, "the gate's opening", second.registry.Ready)
	soon(t, "the peer is seen", func() bool { return metric(get, `xdsready_peers{state="ready"} 1`) })

	other := certtest.NewAuthority(t)
	stranger, _ := newPlane(t, files, func(o *Options) {
		withTLS(t, ca, other.Issue(t, "stranger"), "control-plane")(o)
		o.Peers = []string{address}
	})
	get = start(t, stranger)
	soon(t, "the peer is no peer", func() bool { return metric(get, `xdsready_peers{state="unreachable"} 1`) })
	soon(t, "the page says why", func() bool { // in one round or another: a reset may overtake it
		_, page := get("/?format=json")
		return strings.Contains(page, "unknown certificate authority")
	})
}

// metric reports whether the plane's metrics have a line.
func metric(get func(string) (int, string), line string) bool {
	_, body := get("/metrics")
	return strings.Contains(body, "\n"+line+"\n")
}

// A group that has gone from the config is not compared: a replica that starts
// later does not know it.
func TestGoneGroupsAreNotCompared(t *testing.T) {
	p, dir := newPlane(t, map[string]string{"edge/a.yaml": cluster, "inner/a.yaml": cluster}, func(o *Options) {
		o.NodeGroup, o.GroupRetention = "cluster", patience
	})
	start(t, p)
	await(t, p, "the gate's opening", p.registry.Ready)
	if _, ok := p.Snapshot("edge"); !ok || len(p.Groups()) < 2 {
		t.Fatalf("groups %q, want edge and inner among them", p.Groups())
	}
	remove(t, filepath.Join(dir, "edge"))
	soon(t, "the group has gone", func() bool { _, ok := p.Snapshot("edge"); return !ok })
	if _, kept := p.store.Get("edge"); !kept {
		t.Error("its proxies have lost their config")
	}
	write(t, filepath.Join(dir, "edge", "a.yaml"), cluster)
	soon(t, "the group is back", func() bool { _, ok := p.Snapshot("edge"); return ok })
}

// soon polls for what has no event: it happens in another plane, or in a file system.
func soon(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: not in %v", what, patience)
		}
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}
