package bootstrap

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/certtest"
)

// patience bounds every wait for an Envoy.
const patience = 30 * time.Second

// envoy returns a command with a real Envoy for a bootstrap in a format.
func envoy(t *testing.T, format string, o Options, flags ...string) *exec.Cmd {
	t.Helper()
	needsEnvoy(t)
	path := filepath.Join(t.TempDir(), "bootstrap."+format)
	var text bytes.Buffer
	if err := Write(&text, format, o); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return exec.Command(envoyPath, append([]string{"-c", path, "--use-dynamic-base-id", "--concurrency", "1", "--log-level", "warning"}, flags...)...)
}

// files are a CA and a pair on disk; the pair may be replaced.
type files struct {
	*certtest.Authority
	dir string
}

func newFiles(t *testing.T) files {
	t.Helper()
	f := files{certtest.NewAuthority(t), t.TempDir()}
	certtest.Replace(t, filepath.Join(f.dir, "ca.crt"), f.PEM)
	f.Issue(t, "first").Write(t, f.dir)
	return f
}

// tls returns mTLS with these files, followed or not.
func (f files) tls(follow bool) TLS {
	t := TLS{CAFile: filepath.Join(f.dir, "ca.crt"), CertFile: filepath.Join(f.dir, "tls.crt"), KeyFile: filepath.Join(f.dir, "tls.key")}
	if follow {
		t.SDSDir = f.dir
	}
	return t
}

func TestEnvoyAccepts(t *testing.T) {
	f := newFiles(t)
	for name, o := range variants() {
		for _, format := range []string{"yaml", "json"} {
			t.Run(name+"/"+format, func(t *testing.T) {
				if o.TLS.CAFile != "" {
					serverName := o.TLS.ServerName
					o.TLS = f.tls(o.TLS.SDSDir != "")
					o.TLS.ServerName = serverName
				}
				validate := envoy(t, format, o, "--mode", "validate", "--service-node", "a", "--service-cluster", "b")
				if out, err := validate.CombinedOutput(); err != nil || bytes.Contains(out, []byte("deprecated")) {
					t.Errorf("envoy --mode validate: %v\n%s", err, out)
				}
			})
		}
	}
}

// plane is a control plane that only shakes hands and hangs up.
type plane struct {
	port    string
	clients chan string // the common name of each client, or why there is none
}

func startPlane(t *testing.T, f files) *plane {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{f.Issue(t, "plane").TLS(t)}, ClientCAs: f.Pool(),
		ClientAuth: tls.RequireAndVerifyClientCert, NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS13,
	})
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	p := &plane{port: port, clients: make(chan string)}
	ended := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed below
			}
			client := clientOf(t.Context(), conn)
			_ = conn.Close()
			select {
			case p.clients <- client:
			case <-ended:
			}
		}
	})
	t.Cleanup(func() {
		close(ended)
		_ = listener.Close()
		running.Wait()
	})
	return p
}

// clientOf returns the common name of the client, or why there is none.
func clientOf(ctx context.Context, conn net.Conn) string {
	secure, ok := conn.(*tls.Conn)
	if !ok {
		return "no TLS"
	}
	if err := secure.HandshakeContext(ctx); err != nil {
		return err.Error()
	}
	return secure.ConnectionState().PeerCertificates[0].Subject.CommonName
}

// await waits for a client of that name.
func (p *plane) await(t *testing.T, name string) {
	t.Helper()
	var last string
	for deadline := time.After(patience); ; {
		select {
		case last = <-p.clients:
			if last == name {
				return
			}
		case <-deadline:
			t.Fatalf("no client %q within %v, the last one was %q", name, patience, last)
		}
	}
}

// start runs an Envoy until the test ends.
func start(t *testing.T, o Options) {
	t.Helper()
	o.NodeID, o.NodeCluster = "test", "test"
	cmd := envoy(t, "yaml", o)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // an error means that it has ended
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("log of Envoy:\n%s", log.Bytes())
		}
	})
}

// With --sds-dir an Envoy shows its renewed certificate without a restart.
func TestEnvoyFollowsRenewedFiles(t *testing.T) {
	f := newFiles(t)
	p := startPlane(t, f)
	start(t, Options{XDSAddresses: []string{"127.0.0.1:" + p.port}, TLS: f.tls(true)})
	p.await(t, "first")
	f.Issue(t, "second").Write(t, f.dir)
	p.await(t, "second")
}

// A host name is tried at its IPv4 addresses too: nothing listens on ::1 here.
// The name is not in the certificate, so the one that is must be given.
func TestEnvoyResolvesNames(t *testing.T) {
	f := newFiles(t)
	p := startPlane(t, f)
	o := Options{XDSAddresses: []string{"localhost:" + p.port}, TLS: f.tls(false)}
	o.TLS.ServerName = "control-plane"
	start(t, o)
	p.await(t, "first")
}

// A server whose certificate is of the right CA and for another name is sent
// nothing, not even who the proxy is.
func TestEnvoyChecksTheName(t *testing.T) {
	for name, follow := range map[string]bool{"read once": false, "followed": true} {
		t.Run(name, func(t *testing.T) {
			f := newFiles(t)
			p := startPlane(t, f)
			o := Options{XDSAddresses: []string{"127.0.0.1:" + p.port}, TLS: f.tls(follow)}
			o.TLS.ServerName = "another.example.org"
			start(t, o)
			p.await(t, "remote error: tls: unknown certificate")
		})
	}
}
