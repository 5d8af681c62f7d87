package kubernetes

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"slices"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
)

// audience is that of the tokens by which proxies prove their Gateway.
const audience = "xdsready"

// programName is the name in the program's own certificate.
const programName = "xdsready"

// vault is a scene with two Gateways, "mine" and "other", that each have a TLS
// key and a ServiceAccount, and a program that asks for tokens.
type vault struct {
	*scene
	*program

	certificate []byte             // of the program
	pairs       map[string]keyPair // of the Gateways
	transport   credentials.TransportCredentials
}

func newVault(t *testing.T) *vault {
	t.Helper()
	s := newSceneWithClass(t, shared)
	return newVaultIn(t, s, s.kubeconfig(t))
}

// newVaultIn makes a vault of a scene. The program is who the kubeconfig says.
func newVaultIn(t *testing.T, s *scene, kubeconfig string, flags ...string) *vault {
	t.Helper()
	v := &vault{scene: s, pairs: map[string]keyPair{}}
	s.create(t, s.backend("app")...)
	for _, name := range []string{"mine", "other"} {
		pair := newKeyPair(t, name+".example.org")
		s.create(t, &corev1.ServiceAccount{ObjectMeta: s.meta(name)}, s.tlsSecret(name, pair.certificate, pair.key),
			s.gateway(name, httpsListener("https", 443, name)), s.route(name, name, "app"))
		v.pairs[name] = pair
	}
	server, dir := newKeyPair(t, programName), t.TempDir()
	for file, content := range map[string][]byte{"tls.crt": server.certificate, "tls.key": server.key} {
		if err := os.WriteFile(filepath.Join(dir, file), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	v.certificate = server.certificate
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(server.certificate)
	v.transport = credentials.NewClientTLSFromCert(roots, programName)
	v.program = serve(t, kubeconfig, s.flags(append(flags, "--token-audience", audience,
		"--tls-cert", filepath.Join(dir, "tls.crt"), "--tls-key", filepath.Join(dir, "tls.key"))...)...)
	v.wantReady(t)
	return v
}

// token returns a token of a ServiceAccount of the scene. Without audiences it is
// for the API server.
func (s *scene) token(t *testing.T, account string, audiences ...string) string {
	t.Helper()
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: audiences}}
	if err := s.client.SubResource("token").Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: s.meta(account)}, request); err != nil {
		t.Fatal(err)
	}
	return request.Status.Token
}

// as returns the identity of a node with a token.
func (v *vault) as(node *corev3.Node, token string) identity {
	return identity{node: node, token: token, transport: v.transport}
}

// A proxy gets the TLS key of its Gateway with a token of the ServiceAccount of
// that name, for our audience, and nothing at all with any other.
func TestTokenDecidesTheGateway(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	mine, other := v.group("mine"), v.group("other")
	for name, node := range map[string]*corev3.Node{"cluster": ofGateway(mine).node, "metadata": byMetadata(mine).node} {
		for _, transport := range transports {
			connect(t, v.program, transport, v.as(node, v.token(t, "mine", audience))).until(t, "its key, by its "+name, func(held view) bool {
				return slices.Equal(sorted(held.secrets()), []string{mine})
			})
		}
	}
	claims := byMetadata(other).node
	claims.Cluster = mine
	for _, test := range []struct {
		name string
		node *corev3.Node
		with string
	}{
		{"the token of another ServiceAccount", ofGateway(other).node, v.token(t, "mine", audience)},
		{"the token of another ServiceAccount, by metadata", byMetadata(other).node, v.token(t, "mine", audience)},
		{"its own cluster and another's metadata", claims, v.token(t, "mine", audience)},
		{"a token for another audience", ofGateway(other).node, v.token(t, "other", "vault")},
		{"no token", ofGateway(other).node, ""},
		{"something that is no token", ofGateway(other).node, "token"},
		{"a group that is no Gateway's name", ofGateway("*").node, v.token(t, "mine", audience)},
		{"no node group", &corev3.Node{Id: "proxy"}, v.token(t, "mine", audience)},
	} {
		for _, transport := range transports {
			t.Run(test.name+"/"+transport, func(t *testing.T) {
				t.Parallel()
				proxy := connect(t, v.program, transport, v.as(test.node, test.with))
				if err := proxy.wantEnd(t); status.Code(err) != codes.PermissionDenied {
					t.Errorf("the stream ended with %v, want PERMISSION_DENIED", err)
				}
				if len(proxy.now()) > 0 {
					t.Errorf("the proxy was sent %s", proxy.inventory())
				}
			})
		}
	}
}
