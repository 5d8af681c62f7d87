package peers

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"google.golang.org/grpc/credentials"
	grpcpeer "google.golang.org/grpc/peer"

	"github.com/xdsready/xdsready/pkg/xds/admission"
)

// SAN returns a function that lets a call in only from a peer whose verified
// certificate has a SAN that matches the pattern, as of [admission.SANs].
func SAN(pattern string) (func(context.Context) error, error) {
	known, err := admission.SANs(map[string][]string{"": {pattern}}, func(admission.Node) string { return "" })
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		if known(ctx, admission.Node{}) != nil {
			return fmt.Errorf("no SAN of its certificate matches %q", pattern)
		}
		return nil
	}, nil
}

// Files are what connections to peers are made with, read anew for each.
type Files struct {
	// Certificate returns ours; nil: none is shown.
	Certificate func() (*tls.Certificate, error)
	// CA is the file (PEM) of what signs the peers' certificates.
	CA string
}

// ClientTLS returns the configuration of connections to peers. A peer must prove
// the same as it asks of us: a certificate that the CA has signed, with a SAN that
// the pattern of known matches. Its address proves nothing, for replicas have
// addresses that no certificate knows.
func ClientTLS(files Files, known func(context.Context) error) *tls.Config {
	config := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, // VerifyConnection does all of it but the comparison with the address
		VerifyConnection: func(state tls.ConnectionState) error {
			var err error
			if state.VerifiedChains, err = files.verify(state.PeerCertificates); err != nil {
				return err
			}
			ctx := grpcpeer.NewContext(context.Background(), &grpcpeer.Peer{AuthInfo: credentials.TLSInfo{State: state}})
			return known(ctx)
		},
	}
	if files.Certificate != nil {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return files.Certificate() }
	}
	return config
}

func (f Files) verify(presented []*x509.Certificate) ([][]*x509.Certificate, error) {
	pem, err := os.ReadFile(f.CA)
	if err != nil {
		return nil, err
	}
	options := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool()}
	if !options.Roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s has no certificate", f.CA)
	}
	if len(presented) == 0 {
		return nil, errors.New("it showed no certificate")
	}
	for _, intermediate := range presented[1:] {
		options.Intermediates.AddCert(intermediate)
	}
	return presented[0].Verify(options)
}

// TokenFile is a file with a ServiceAccount token that the kubelet renews. It is
// sent with each call.
type TokenFile string

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (f TokenFile) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	token, err := f.read()
	if err != nil {
		return nil, err
	}
	return map[string]string{"authorization": "Bearer " + token}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials.
func (TokenFile) RequireTransportSecurity() bool { return true }

func (f TokenFile) read() (string, error) {
	token, err := os.ReadFile(string(f))
	return strings.TrimSpace(string(token)), err
}

// User returns whose token it is, by its own word: it is ours. Every replica has
// one of the same ServiceAccount.
func (f TokenFile) User() (string, error) {
	token, err := f.read()
	if err != nil {
		return "", err
	}
	var claims struct {
		Subject string `json:"sub"`
	}
	parts := strings.Split(token, ".")
	if len(parts) == 3 {
		payload, decodeErr := base64.RawURLEncoding.DecodeString(parts[1])
		err = errors.Join(decodeErr, json.Unmarshal(payload, &claims))
	}
	if err != nil || claims.Subject == "" {
		return "", fmt.Errorf("%s has no ServiceAccount token", f)
	}
	return claims.Subject, nil
}
