package certificates

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"time"
)

// baseConfig is what does not depend on the files. TLS 1.2 is the most that an
// Envoy client offers by default. Sessions are not resumed: a client whose CA
// was taken away must not come back with an old one, and streams that last for
// days gain nothing.
func baseConfig() *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS12,
		NextProtos:             []string{"h2"},
		SessionTicketsDisabled: true,
	}
}

// contents are the bytes of the files; clientCA is nil where there is none.
type contents struct{ cert, key, clientCA []byte }

func (c contents) equal(o contents) bool {
	return bytes.Equal(c.cert, o.cert) && bytes.Equal(c.key, o.key) && bytes.Equal(c.clientCA, o.clientCA)
}

// read returns the bytes of all files.
func (o Options) read() (contents, error) {
	var c contents
	for _, file := range []struct {
		flag, name string
		bytes      *[]byte
	}{
		{"--tls-cert", o.CertFile, &c.cert},
		{"--tls-key", o.KeyFile, &c.key},
		{"--tls-client-ca", o.ClientCAFile, &c.clientCA},
	} {
		if file.name == "" && file.bytes == &c.clientCA {
			continue
		}
		var err error
		if *file.bytes, err = os.ReadFile(file.name); err != nil {
			return contents{}, fmt.Errorf("%s: %w: name a PEM file that this process can read", file.flag, err)
		}
	}
	return c, nil
}

// parse returns the configuration for the contents. It fails if a client could
// not accept them now.
func (o Options) parse(c contents, now time.Time) (*tls.Config, error) {
	if err := checkCertificate(c.cert, now); err != nil {
		return nil, fmt.Errorf("--tls-cert: %s: %w", o.CertFile, err)
	}
	pair, err := tls.X509KeyPair(c.cert, c.key)
	if err != nil { // the certificate is good, so it is the key
		return nil, fmt.Errorf("--tls-key: %s: %w: give the key, as PEM without a passphrase, that the certificate in %s was issued for",
			o.KeyFile, err, o.CertFile)
	}
	config := baseConfig()
	config.Certificates = []tls.Certificate{pair}
	if o.ClientCAFile != "" {
		config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
		if !config.ClientCAs.AppendCertsFromPEM(c.clientCA) {
			return nil, fmt.Errorf("--tls-client-ca: %s: no certificate in it: give the PEM certificates of the CAs that sign clients", o.ClientCAFile)
		}
	}
	return config, nil
}

// checkCertificate checks the first certificate, the server's own.
func checkCertificate(text []byte, now time.Time) error {
	block, rest := pem.Decode(text)
	for block != nil && block.Type != "CERTIFICATE" { // the key may be in the same file
		block, rest = pem.Decode(rest)
	}
	if block == nil {
		return errors.New("no certificate in it: give the PEM certificate of the server, then its intermediates")
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	switch {
	case err != nil:
		return fmt.Errorf("%w: give the PEM certificate of the server, then its intermediates", err)
	case now.After(leaf.NotAfter):
		return fmt.Errorf("expired at %s: renew it", leaf.NotAfter.Format(time.RFC3339))
	case now.Before(leaf.NotBefore):
		return fmt.Errorf("not valid before %s: check the clock, or wait", leaf.NotBefore.Format(time.RFC3339))
	}
	return nil
}
