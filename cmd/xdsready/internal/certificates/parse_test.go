package certificates

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/certtest"
)

// Each error names the flag, the file and what to do, and shows nothing of a key.
func TestNewErrors(t *testing.T) {
	ca := certtest.NewAuthority(t)
	good, other := ca.Issue(t, "good"), ca.Issue(t, "other")
	expired := ca.IssueFor(t, "expired", time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour))
	future := ca.IssueFor(t, "future", time.Now().Add(time.Hour), time.Now().Add(2*time.Hour))
	for _, test := range []struct {
		name          string
		cert, key, ca []byte // nil: no such file
		want          []string
	}{
		{"no certificate file", nil, good.Key, ca.PEM, []string{"--tls-cert", "tls.crt", "no such file", "name a PEM file"}},
		{"no key file", good.Cert, nil, ca.PEM, []string{"--tls-key", "tls.key", "no such file", "name a PEM file"}},
		{"no CA file", good.Cert, good.Key, nil, []string{"--tls-client-ca", "ca.crt", "no such file", "name a PEM file"}},
		{"an empty certificate", []byte{}, good.Key, ca.PEM, []string{"--tls-cert", "tls.crt", "no certificate in it"}},
		{"a key for a certificate", good.Key, good.Key, ca.PEM, []string{"--tls-cert", "tls.crt", "no certificate in it"}},
		{"a damaged certificate", certtest.ToPEM("CERTIFICATE", []byte("x")), good.Key, ca.PEM, []string{"--tls-cert", "tls.crt", "give the PEM certificate"}},
		{"an expired certificate", expired.Cert, expired.Key, ca.PEM, []string{"--tls-cert", "tls.crt", "expired at", "renew it"}},
		{"a certificate of the future", future.Cert, future.Key, ca.PEM, []string{"--tls-cert", "tls.crt", "not valid before", "clock"}},
		{"a key of another certificate", good.Cert, other.Key, ca.PEM, []string{"--tls-key", "tls.key", "does not match", "tls.crt"}},
		{"a damaged key", good.Cert, certtest.ToPEM("PRIVATE KEY", []byte("secret")), ca.PEM, []string{"--tls-key", "tls.key", "give the key"}},
		{"a key that is no PEM", good.Cert, []byte("secret"), ca.PEM, []string{"--tls-key", "tls.key", "give the key"}},
		{"a key for a CA", good.Cert, good.Key, good.Key, []string{"--tls-client-ca", "ca.crt", "no certificate in it"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range map[string][]byte{"tls.crt": test.cert, "tls.key": test.key, "ca.crt": test.ca} {
				if text == nil {
					continue
				}
				if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, err := New(Options{
				CertFile: filepath.Join(dir, "tls.crt"), KeyFile: filepath.Join(dir, "tls.key"),
				ClientCAFile: filepath.Join(dir, "ca.crt"),
			})
			if err == nil {
				t.Fatal("New took it")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("New: %v, want %q in it", err, want)
				}
			}
			if shown := bytes.TrimSpace(test.key); len(shown) > 0 && strings.Contains(err.Error(), string(shown)) {
				t.Errorf("New shows the key: %v", err)
			}
		})
	}
}

// A certificate and its key may be in one file, in either order.
func TestPairInOneFile(t *testing.T) {
	good := certtest.NewAuthority(t).Issue(t, "good")
	for name, text := range map[string][]byte{
		"certificate first": append(bytes.Clone(good.Cert), good.Key...),
		"key first":         append(bytes.Clone(good.Key), good.Cert...),
	} {
		path := filepath.Join(t.TempDir(), "both.pem")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := New(Options{CertFile: path, KeyFile: path}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
