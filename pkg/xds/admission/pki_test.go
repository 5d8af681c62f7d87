package admission

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"net/url"
	"testing"
	"time"
)

// pki is a certificate authority for one test.
type pki struct {
	t    *testing.T
	cert *x509.Certificate
	key  crypto.PrivateKey
	pool *x509.CertPool
}

func newPKI(t *testing.T) *pki {
	t.Helper()
	p := &pki{t: t, pool: x509.NewCertPool()}
	template := &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	issued := p.issue(template)
	p.cert, p.key = issued.Leaf, issued.PrivateKey
	p.pool.AddCert(p.cert)
	return p
}

// issue signs a certificate; the first one is self-signed.
func (p *pki) issue(template *x509.Certificate) tls.Certificate {
	p.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.Subject = pkix.Name{CommonName: "test"}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := p.cert, p.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		p.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		p.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// server returns a configuration that verifies the certificate of a client
// that has one.
func (p *pki) server() *tls.Config {
	leaf := p.issue(&x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	return &tls.Config{Certificates: []tls.Certificate{leaf}, ClientCAs: p.pool, ClientAuth: tls.VerifyClientCertIfGiven}
}

// client returns a configuration with a certificate for the given SANs, with
// none for no SANs, and nil (no TLS) without a pki.
func (p *pki) client(sans ...string) *tls.Config {
	if p == nil {
		return nil
	}
	config := &tls.Config{RootCAs: p.pool}
	if len(sans) == 0 {
		return config
	}
	leaf := p.issue(withSANs(p.t, sans))
	config.Certificates = []tls.Certificate{leaf}
	return config
}

// withSANs returns a template whose names with a scheme are URIs, and the empty
// one none.
func withSANs(t *testing.T, sans []string) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{}
	for _, san := range sans {
		u, err := url.Parse(san)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case u.Scheme != "":
			template.URIs = append(template.URIs, u)
		case san != "":
			template.DNSNames = append(template.DNSNames, san)
		}
	}
	return template
}
