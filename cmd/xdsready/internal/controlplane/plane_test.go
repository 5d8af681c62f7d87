package controlplane

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const patience = 10 * time.Second

const cluster = `resources:
- "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
  name: backend
  type: EDS
  eds_cluster_config: {eds_config: {ads: {}, resource_api_version: V3}}
`

// newPlane makes a plane on free ports over a directory with these files.
func newPlane(t *testing.T, files map[string]string, change func(*Options)) (*Plane, string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		write(t, filepath.Join(dir, name), text)
	}
	o := Options{
		Source: "dir:" + dir, XDSAddress: "127.0.0.1:0", HTTPAddress: "127.0.0.1:0", AdminAddress: "127.0.0.1:0",
		Logger: slog.New(slog.DiscardHandler),
	}
	change(&o)
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p, dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// start runs the plane until the test ends and returns a function that asks its
// HTTP server.
func start(t *testing.T, p *Plane) (get func(path string) (int, string)) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	transport := &http.Transport{}
	client := &http.Client{Transport: transport, Timeout: patience}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	_, address, _ := p.Addresses()
	return func(path string) (int, string) {
		t.Helper()
		response, err := client.Get("http://" + address + path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(body)
	}
}

// await polls the plane's own event, a change of its status, until done.
func await(t *testing.T, p *Plane, what string, done func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for {
		changed := p.registry.Changed()
		if done() {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("%s did not happen in %v: %v", what, patience, p.registry.Err())
		}
	}
}

func TestPlaneOpens(t *testing.T) {
	for _, test := range []struct {
		name   string
		files  map[string]string
		change func(*Options)
		groups []string
	}{
		{"with config", map[string]string{"a.yaml": cluster}, func(*Options) {}, []string{"all"}},
		{"with an empty directory", nil, func(*Options) {}, []string{"all"}},
		{"with no groups", map[string]string{"a.yaml": cluster}, func(o *Options) { o.NodeGroup = "cluster" }, nil},
		{"with groups", map[string]string{"edge/a.yaml": cluster, "inner/a.yaml": cluster},
			func(o *Options) { o.NodeGroup = "id" }, []string{"edge", "inner"}},
		{"without an admin server", nil, func(o *Options) { o.AdminAddress = "" }, []string{"all"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, _ := newPlane(t, test.files, test.change)
			get := start(t, p)
			await(t, p, "the gate's opening", p.registry.Ready)
			if code, body := get("/readyz"); code != http.StatusOK {
				t.Errorf("/readyz: %d %s", code, body)
			}
			if got, want := fmt.Sprint(p.store.Groups()), fmt.Sprint(test.groups); got != want {
				t.Errorf("groups %s, want %s", got, want)
			}
		})
	}
}

// A fault at the start keeps the snapshot tier red with file and line; mended,
// the gate opens. A later fault keeps it open and the last snapshot stored.
func TestPlaneWithFaults(t *testing.T) {
	p, dir := newPlane(t, map[string]string{"a.yaml": "resources: [1"}, func(*Options) {})
	get := start(t, p)
	await(t, p, "the named fault", func() bool { return strings.Contains(p.registry.Err().Error(), "a.yaml:1") })
	if code, body := get("/readyz?verbose"); code != http.StatusServiceUnavailable || !strings.Contains(body, "[-]snapshot/snapshot failed") {
		t.Errorf("/readyz?verbose: %d %s", code, body)
	}
	write(t, filepath.Join(dir, "a.yaml"), cluster)
	await(t, p, "the gate's opening", p.registry.Ready)
	good, _ := p.store.Get("all")

	changed := make(chan struct{})
	go func() { // the fault is no event of the registry once the gate is open
		defer close(changed)
		deadline := time.Now().Add(patience)
		for tick := time.Tick(time.Millisecond); time.Now().Before(deadline); <-tick {
			if len(p.faults.all()) > 0 {
				return
			}
		}
	}()
	write(t, filepath.Join(dir, "a.yaml"), "resources: [1")
	<-changed
	if faults := p.faults.all(); len(faults) != 1 || !strings.Contains(faults[0].message, "a.yaml:1") {
		t.Errorf("faults: %v, want one that names file and line", faults)
	}
	if now, _ := p.store.Get("all"); now != good || !p.registry.Ready() {
		t.Errorf("the last good snapshot is kept: %v, ready: %v", now == good, p.registry.Ready())
	}
	if _, body := get("/metrics"); !strings.Contains(body, "xdsready_config_errors 1") {
		t.Error("/metrics does not say xdsready_config_errors 1")
	}
}

func TestNewNamesWhatCannotBeUsed(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	for _, test := range []struct {
		name   string
		change func(*Options)
		want   []string
	}{
		{"an address in use", func(o *Options) { o.HTTPAddress = taken.Addr().String() }, []string{"--http-address", "in use"}},
		{"a malformed address", func(o *Options) { o.XDSAddress = "localhost" }, []string{"--xds-address"}},
		{"no directory", func(o *Options) { o.Source = "dir:/no/such/dir" }, []string{"--source", "/no/such/dir"}},
		{"no certificate", func(o *Options) { o.TLSCert, o.TLSKey = "/no/such.crt", "/no/such.key" }, []string{"--tls-cert", "/no/such.crt"}},
		{"a bad pattern", func(o *Options) {
			o.TLSCert, o.TLSKey, o.TLSClientCA, o.GroupSANs = "a", "a", "a", []string{"edge=**"}
		}, []string{"--group-san", "**"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := Options{
				Source: "dir:" + t.TempDir(), XDSAddress: "127.0.0.1:0", HTTPAddress: "127.0.0.1:0",
				Logger: slog.New(slog.DiscardHandler),
			}
			test.change(&o)
			_, err := New(o)
			for _, want := range test.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("New: %v, want %q in it", err, want)
				}
			}
		})
	}
}

func TestDebugEndpoints(t *testing.T) {
	for _, debug := range []bool{false, true} {
		p, _ := newPlane(t, nil, func(o *Options) { o.Debug = debug })
		if code, _ := start(t, p)("/debug/pprof/"); (code == http.StatusOK) != debug {
			t.Errorf("debug %v: /debug/pprof/ answers %d", debug, code)
		}
	}
}

var update = flag.Bool("update", false, "rewrite docs/metrics.md")
