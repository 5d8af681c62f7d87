package certificates

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/certtest"
)

// patience bounds every wait for something that must happen.
const patience = 10 * time.Second

// never is an interval that no test lives to see: what happens with it is due
// to a file event.
const never = time.Hour

// rig is a running watcher over tls.crt, tls.key and ca.crt of a directory.
type rig struct {
	*Watcher
	dir      string
	ca       *certtest.Authority
	server   *tls.Config // from TLSConfig, once
	verdicts chan error  // what OnFault was told
}

func newRig(t *testing.T, interval time.Duration, prepare func(t *testing.T, dir string, ca *certtest.Authority)) *rig {
	t.Helper()
	r := &rig{dir: t.TempDir(), ca: certtest.NewAuthority(t), verdicts: make(chan error, 10)}
	prepare(t, r.dir, r.ca)
	var err error
	r.Watcher, err = New(Options{
		CertFile: filepath.Join(r.dir, "tls.crt"), KeyFile: filepath.Join(r.dir, "tls.key"),
		ClientCAFile: filepath.Join(r.dir, "ca.crt"), Interval: interval,
		Logger: slog.New(slog.DiscardHandler), OnFault: func(err error) { r.verdicts <- err },
	})
	if err != nil {
		t.Fatal(err)
	}
	r.server = r.TLSConfig()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return r
}

// verdict waits for the next one.
func (r *rig) verdict(t *testing.T) error {
	t.Helper()
	select {
	case err := <-r.verdicts:
		return err
	case <-time.After(patience):
		t.Fatalf("no verdict within %v", patience)
		return nil
	}
}

// taken waits until changed files are served. A read may fall between two of
// them and find a fault before.
func (r *rig) taken(t *testing.T) {
	t.Helper()
	for r.verdict(t) != nil {
	}
}

// plain puts ca.crt and a good pair named first into the directory.
func plain(t *testing.T, dir string, ca *certtest.Authority) {
	t.Helper()
	certtest.Replace(t, filepath.Join(dir, "ca.crt"), ca.PEM)
	ca.Issue(t, "first").Write(t, dir)
}

// connect makes a handshake with a client of this configuration and returns
// what the client saw, or why one of the two sides refused the other.
func (r *rig) connect(t *testing.T, client *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	accepted := make(chan error, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			accepted <- err
			return
		}
		defer func() { _ = conn.Close() }()
		accepted <- tls.Server(conn, r.server).HandshakeContext(t.Context())
	}()
	client.ServerName, client.RootCAs = "control-plane", r.ca.Pool()
	conn, err := tls.Dial("tcp", listener.Addr().String(), client)
	if err != nil {
		return tls.ConnectionState{}, errors.Join(err, <-accepted)
	}
	defer func() { _ = conn.Close() }()
	return conn.ConnectionState(), <-accepted // with TLS 1.3 a client learns of a refusal later
}

// handshake connects a client that shows these certificates and returns the
// name in the server's.
func (r *rig) handshake(t *testing.T, client ...tls.Certificate) (name string, err error) {
	t.Helper()
	state, err := r.connect(t, &tls.Config{Certificates: client, NextProtos: []string{"h2"}})
	if err != nil {
		return "", err
	}
	if state.NegotiatedProtocol != "h2" {
		t.Errorf("negotiated protocol %q, want h2", state.NegotiatedProtocol)
	}
	return state.PeerCertificates[0].Subject.CommonName, nil
}

// serves checks that handshakes get the certificate of that name.
func (r *rig) serves(t *testing.T, name string) {
	t.Helper()
	if got, err := r.handshake(t, r.ca.Issue(t, "client").TLS(t)); err != nil || got != name {
		t.Errorf("handshake: %q, %v, want %q", got, err, name)
	}
}

func TestClientCertificates(t *testing.T) {
	r := newRig(t, never, plain)
	r.serves(t, "first")
	if _, err := r.handshake(t); err == nil {
		t.Error("a client without a certificate was accepted")
	}
	if _, err := r.handshake(t, certtest.NewAuthority(t).Issue(t, "stranger").TLS(t)); err == nil {
		t.Error("a client with a certificate of another CA was accepted")
	}
}

// An Envoy offers TLS 1.2 at most unless told otherwise. A session is never
// resumed: that would let in a client whose CA has been taken away.
func TestVersionsAndSessions(t *testing.T) {
	r := newRig(t, never, plain)
	client := &tls.Config{
		Certificates: []tls.Certificate{r.ca.Issue(t, "client").TLS(t)},
		MaxVersion:   tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(1),
	}
	for range 2 {
		if state, err := r.connect(t, client); err != nil || state.DidResume {
			t.Errorf("TLS 1.2: resumed %v, %v", state.DidResume, err)
		}
	}
	client.MinVersion, client.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	if _, err := r.connect(t, client); err == nil {
		t.Error("TLS 1.1 was accepted")
	}
}

func TestWithoutClientCA(t *testing.T) {
	dir, ca := t.TempDir(), certtest.NewAuthority(t)
	ca.Issue(t, "first").Write(t, dir)
	w, err := New(Options{CertFile: filepath.Join(dir, "tls.crt"), KeyFile: filepath.Join(dir, "tls.key")})
	if err != nil {
		t.Fatal(err)
	}
	if name, err := (&rig{ca: ca, server: w.TLSConfig()}).handshake(t); err != nil || name != "first" {
		t.Errorf("a client without a certificate: %q, %v", name, err)
	}
}

func TestRotation(t *testing.T) {
	r := newRig(t, never, plain)
	r.ca.Issue(t, "second").Write(t, r.dir)
	r.taken(t)
	r.serves(t, "second")
}

// The certificates of the old CA are refused and those of the new one taken.
func TestClientCARotation(t *testing.T) {
	r := newRig(t, never, plain)
	old, next := r.ca.Issue(t, "client").TLS(t), certtest.NewAuthority(t)
	certtest.Replace(t, filepath.Join(r.dir, "ca.crt"), next.PEM)
	r.taken(t)
	if _, err := r.handshake(t, old); err == nil {
		t.Error("a client of the old CA was accepted")
	}
	if _, err := r.handshake(t, next.Issue(t, "client").TLS(t)); err != nil {
		t.Errorf("a client of the new CA: %v", err)
	}
}

// Kubernetes puts the files of a Secret behind one symbolic link, ..data, and
// swaps that.
func TestRotationBySymlinkSwap(t *testing.T) {
	swap := func(dir, generation string) {
		link := filepath.Join(dir, "..data")
		if err := os.Symlink(generation, link+"_tmp"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(link+"_tmp", link); err != nil {
			t.Fatal(err)
		}
	}
	generation := func(dir, name string, ca *certtest.Authority) {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		certtest.Replace(t, filepath.Join(dir, name, "ca.crt"), ca.PEM)
		ca.Issue(t, name).Write(t, filepath.Join(dir, name))
	}
	r := newRig(t, never, func(t *testing.T, dir string, ca *certtest.Authority) {
		t.Helper()
		generation(dir, "..first", ca)
		swap(dir, "..first")
		for _, name := range []string{"tls.crt", "tls.key", "ca.crt"} {
			if err := os.Symlink("..data/"+name, filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	})
	r.serves(t, "..first")
	generation(r.dir, "..second", r.ca)
	swap(r.dir, "..second")
	if err := os.RemoveAll(filepath.Join(r.dir, "..first")); err != nil {
		t.Fatal(err)
	}
	r.taken(t)
	r.serves(t, "..second")
}

// What lies behind a link that leads out of the directory brings no event; the
// interval finds it.
func TestRotationFoundByInterval(t *testing.T) {
	elsewhere := t.TempDir()
	r := newRig(t, 10*time.Millisecond, func(t *testing.T, dir string, ca *certtest.Authority) {
		t.Helper()
		certtest.Replace(t, filepath.Join(elsewhere, "ca.crt"), ca.PEM)
		ca.Issue(t, "first").Write(t, elsewhere)
		for _, name := range []string{"tls.crt", "tls.key", "ca.crt"} {
			if err := os.Symlink(filepath.Join(elsewhere, name), filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	})
	r.ca.Issue(t, "second").Write(t, elsewhere)
	r.taken(t)
	r.serves(t, "second")
}

// A file that cannot be used is reported once, the last good pair stays, and
// the mended one is taken.
func TestBrokenFiles(t *testing.T) {
	for _, test := range []struct {
		name   string
		damage func(t *testing.T, r *rig)
		want   string
	}{
		{"a certificate that is no PEM", func(t *testing.T, r *rig) {
			t.Helper()
			certtest.Replace(t, filepath.Join(r.dir, "tls.crt"), []byte("half a certifi"))
		}, "--tls-cert"},
		{"the key of another certificate", func(t *testing.T, r *rig) {
			t.Helper()
			certtest.Replace(t, filepath.Join(r.dir, "tls.key"), r.ca.Issue(t, "other").Key)
		}, "--tls-key"},
		{"a key that is gone", func(t *testing.T, r *rig) {
			t.Helper()
			if err := os.Remove(filepath.Join(r.dir, "tls.key")); err != nil {
				t.Fatal(err)
			}
		}, "--tls-key"},
		{"an empty CA", func(t *testing.T, r *rig) {
			t.Helper()
			certtest.Replace(t, filepath.Join(r.dir, "ca.crt"), nil)
		}, "--tls-client-ca"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, never, plain)
			test.damage(t, r)
			if err := r.verdict(t); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("verdict: %v, want one that names %s", err, test.want)
			}
			r.serves(t, "first")
			certtest.Replace(t, filepath.Join(r.dir, "ca.crt"), r.ca.PEM)
			r.ca.Issue(t, "mended").Write(t, r.dir)
			r.taken(t)
			r.serves(t, "mended")
		})
	}
}

// A file that comes back as it was ends the fault, though nothing is new.
func TestFileComesBack(t *testing.T) {
	r := newRig(t, never, plain)
	key := filepath.Join(r.dir, "tls.key")
	if err := os.Rename(key, key+".away"); err != nil {
		t.Fatal(err)
	}
	if r.verdict(t) == nil {
		t.Fatal("verdict: nil without a key")
	}
	if err := os.Rename(key+".away", key); err != nil {
		t.Fatal(err)
	}
	r.taken(t)
	r.serves(t, "first")
}
