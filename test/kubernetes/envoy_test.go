package kubernetes

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	corev1 "k8s.io/api/core/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/xdsready/xdsready/test/process"
)

// A real Envoy, with the bootstrap that the program prints and a ServiceAccount
// token in a file, serves HTTPS with the certificate of its Gateway to a Service.
func TestEnvoy(t *testing.T) {
	t.Parallel()
	if os.Getenv("SKIP_ENVOY") == "1" {
		t.Skip("SKIP_ENVOY=1: what needs a real Envoy is left out")
	}
	v := newVault(t)
	_, port, err := net.SplitHostPort(process.FreeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	v.update(t, v.gateway("mine", httpsListener("https", number, "mine")))
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "the backend") }))
	t.Cleanup(backend.Close)
	v.create(t, v.localhost("local"), v.routeToPort("local", "mine", "local", backend.Listener.Addr().(*net.TCPAddr).Port))

	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			v.startEnvoy(t, transport)
			eventually(t, "an answer through Envoy", func() bool {
				return v.get(t, "https://mine.example.org"+pathOf("local"), port) == "the backend"
			})
		})
	}
}

// localhost is a Service that is a name of this machine.
func (s *scene) localhost(name string) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: s.meta(name),
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "localhost"},
	}
}

// routeToPort is a route to another port than 80.
func (s *scene) routeToPort(name, gateway, service string, port int) *gatewayv1.HTTPRoute {
	route, number := s.route(name, gateway, service), gatewayv1.PortNumber(port)
	route.Spec.Rules[0].BackendRefs[0].Port = &number
	return route
}

// startEnvoy starts an Envoy of the Gateway "mine" until the test ends.
func (v *vault) startEnvoy(t *testing.T, transport string) {
	t.Helper()
	dir := t.TempDir()
	ca, token, config := filepath.Join(dir, "ca.crt"), filepath.Join(dir, "token"), filepath.Join(dir, "bootstrap.yaml")
	for file, content := range map[string][]byte{ca: v.certificate, token: []byte(v.token(t, "mine", audience))} {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	bootstrap, err := output(command, "bootstrap", "--xds-address", v.xds, "--transport", transport, "--admin-address", "127.0.0.1:0",
		"--tls-ca", ca, "--token-file", token, "--sds-dir", dir, "--node-cluster", v.group("mine"), "--node-id", "envoy")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, []byte(bootstrap), 0o600); err != nil {
		t.Fatal(err)
	}
	process.Start(t, envoyPath(t), "--config-path", config, "--use-dynamic-base-id", "--concurrency", "1", "--log-level", "warning")
}

// envoyPath is the Envoy that make envoy fetches, or the one that ENVOY names.
func envoyPath(t *testing.T) string {
	t.Helper()
	path := os.Getenv("ENVOY")
	if path == "" {
		path = filepath.Join(root, "bin", "envoy")
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("no Envoy: %v: run make envoy, or set ENVOY=/path/to/envoy, or SKIP_ENVOY=1", err)
	}
	return path
}

// get asks a URL, whose host is at a port of this machine, and returns the body
// of the answer if the host has the certificate of the Gateway "mine".
func (v *vault) get(t *testing.T, url, port string) string {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(v.pairs["mine"].certificate)
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
		},
	}}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err.Error()
	}
	return string(body)
}
