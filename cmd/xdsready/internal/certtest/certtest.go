// Package certtest makes certificates for tests.
package certtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority is a CA.
type Authority struct {
	Certificate *x509.Certificate
	PEM         []byte
	key         *ecdsa.PrivateKey
}

// NewAuthority makes a CA that is valid for an hour.
func NewAuthority(t *testing.T) *Authority {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return &Authority{certificate, ToPEM("CERTIFICATE", raw), key}
}

// Pool returns a pool of this CA alone.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.Certificate)
	return pool
}

// Pair is a certificate with its key, as PEM.
type Pair struct{ Cert, Key []byte }

// Issue makes a certificate for servers and clients that is good now, for the
// DNS name "control-plane" and the address 127.0.0.1; name is its common name.
func (a *Authority) Issue(t *testing.T, name string) Pair {
	t.Helper()
	return a.IssueFor(t, name, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
}

// IssueFor is Issue for a time.
func (a *Authority) IssueFor(t *testing.T, name string, from, until time.Time) Pair {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotBefore: from, NotAfter: until,
		DNSNames: []string{"control-plane"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, a.Certificate, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return Pair{ToPEM("CERTIFICATE", raw), ToPEM("PRIVATE KEY", private)}
}

// TLS returns the pair for a tls.Config.
func (p Pair) TLS(t *testing.T) tls.Certificate {
	t.Helper()
	certificate, err := tls.X509KeyPair(p.Cert, p.Key)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

// Write puts the pair into dir as tls.crt and tls.key.
func (p Pair) Write(t *testing.T, dir string) {
	t.Helper()
	Replace(t, filepath.Join(dir, "tls.crt"), p.Cert)
	Replace(t, filepath.Join(dir, "tls.key"), p.Key)
}

// Replace writes a file in one step, as those who renew certificates do.
func Replace(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// ToPEM returns one PEM block.
func ToPEM(kind string, raw []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw})
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
