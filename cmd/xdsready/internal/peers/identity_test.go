package peers

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/certtest"
)

// Both sides ask for a certificate of the CA whose SAN matches: certtest's has the
// DNS name control-plane.
func TestMutualTLS(t *testing.T) {
	ca, otherCA := certtest.NewAuthority(t), certtest.NewAuthority(t)
	for name, test := range map[string]struct {
		server, client   *certtest.Authority // who signs
		asks, isAskedFor string              // the pattern of each side
		said             string              // "": it works
	}{
		"a peer":                        {ca, ca, "control-plane", "control-plane", ""},
		"a pattern":                     {ca, ca, "control-*", "*", ""},
		"a server of another CA":        {otherCA, ca, "control-plane", "control-plane", "certificate signed by unknown authority"},
		"a server with another name":    {ca, ca, "other", "control-plane", `no SAN of its certificate matches \"other\"`},
		"a client of another CA":        {ca, otherCA, "control-plane", "control-plane", "unknown certificate authority"},
		"a client with another name":    {ca, ca, "control-plane", "other", `not a peer: no SAN of its certificate matches "other"`},
		"an address is no proof of any": {ca, ca, "127.0.0.1", "control-plane", `no SAN of its certificate matches \"127.0.0.1\"`},
	} {
		t.Run(name, func(t *testing.T) {
			other := serving("500")
			o := other.options("b")
			o.Authorize = pattern(t, test.isAskedFor)
			listener := listen(t)
			other.make(t, o).serveOn(t, listener, grpc.Creds(credentials.NewTLS(&tls.Config{
				Certificates: []tls.Certificate{test.server.Issue(t, "server").TLS(t)},
				ClientCAs:    ca.Pool(), ClientAuth: tls.RequireAndVerifyClientCert,
			})))
			file := filepath.Join(t.TempDir(), "ca.crt")
			certtest.Replace(t, file, ca.PEM)
			own := test.client.Issue(t, "client").TLS(t)
			files := Files{CA: file, Certificate: func() (*tls.Certificate, error) { return &own, nil }}
			r := starting("100")
			o = r.options("a", listener.Addr().String())
			o.Dial = []grpc.DialOption{grpc.WithTransportCredentials(credentials.NewTLS(ClientTLS(files, pattern(t, test.asks))))}
			background(t, r.make(t, o).Await)
			if test.said == "" {
				test.said = "peer b had read services up to 500"
			}
			eventually(t, test.said, func() bool { return strings.Contains(r.waitsFor(), test.said) })
		})
	}
}

func pattern(t *testing.T, text string) func(context.Context) error {
	t.Helper()
	known, err := SAN(text)
	if err != nil {
		t.Fatal(err)
	}
	return known
}

func TestBadPattern(t *testing.T) {
	if _, err := SAN("**"); err == nil || !strings.Contains(err.Error(), "** is not supported") {
		t.Errorf("SAN = %v, want it to say what is wrong", err)
	}
}

func TestTokenFile(t *testing.T) {
	token := "e30." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"system:serviceaccount:infra:xdsready"}`)) + ".x"
	for name, test := range map[string]struct{ content, user, said string }{
		"a token":           {token + "\n", "system:serviceaccount:infra:xdsready", ""},
		"no token":          {"secret", "", "has no ServiceAccount token"},
		"not one of anyone": {"e30.e30.x", "", "has no ServiceAccount token"},
		"not base64":        {"e30.???.x", "", "has no ServiceAccount token"},
	} {
		t.Run(name, func(t *testing.T) {
			file := TokenFile(filepath.Join(t.TempDir(), "token"))
			if err := os.WriteFile(string(file), []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			user, err := file.User()
			if user != test.user || (err == nil) != (test.said == "") || err != nil && !strings.Contains(err.Error(), test.said) {
				t.Errorf("User = %q, %v, want %q, %q", user, err, test.user, test.said)
			}
			if err != nil && strings.Contains(err.Error(), test.content) {
				t.Errorf("the error shows the token: %v", err)
			}
			sent, err := file.GetRequestMetadata(t.Context())
			if want := "Bearer " + strings.TrimSpace(test.content); err != nil || sent["authorization"] != want {
				t.Errorf("sent %q, %v, want %q", sent, err, want)
			}
		})
	}
	if _, err := TokenFile("missing").GetRequestMetadata(t.Context()); err == nil {
		t.Error("a missing file is no error")
	}
}
