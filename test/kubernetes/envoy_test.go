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

	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/xdsready/xdsready/test/loopback"
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
	port := portOf(t, loopback.Address(t))
	v.update(t, v.gateway("mine", httpsListener("https", port, "mine")))
	v.create(t, v.service("local"), v.sliceHere(t, "local"), v.route("local", "mine", "local"))

	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			v.startEnvoy(t, transport)
			answer := ""
			if !within(process.Limit, func() bool {
				answer = v.get(t, "https://mine.example.org"+pathOf("local"), port)
				return answer == "the backend"
			}) {
				t.Errorf("no answer of the backend through Envoy within %v: %s", process.Limit, answer)
			}
		})
	}
}

// portOf returns the port of an address.
func portOf(t *testing.T, address string) int {
	t.Helper()
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// sliceHere starts a backend until the test ends and returns its EndpointSlice.
// The API server takes no loopback address, so the backend listens on another one
// of this machine.
func (s *scene) sliceHere(t *testing.T, service string) *discoveryv1.EndpointSlice {
	t.Helper()
	listener := listen(t, net.JoinHostPort(ownAddress(t), "0"))
	backend := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "the backend") }))
	_ = backend.Listener.Close()
	backend.Listener = listener
	backend.Start()
	t.Cleanup(backend.Close)
	slice, port := s.slice(service, ownAddress(t)), int32(portOf(t, listener.Addr().String()))
	slice.Ports[0].Port = &port
	return slice
}

// ownAddress is an IPv4 address of this machine that others can reach.
func ownAddress(t *testing.T) string {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range addresses {
		if network, ok := address.(*net.IPNet); ok && network.IP.To4() != nil && network.IP.IsGlobalUnicast() {
			return network.IP.String()
		}
	}
	t.Skip("this machine has no address but loopback ones, and no EndpointSlice may have those")
	return ""
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
		"--tls-ca", ca, "--tls-server-name", programName, "--token-file", token, "--sds-dir", dir, "--node-cluster", v.group("mine"), "--node-id", "envoy")
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
func (v *vault) get(t *testing.T, url string, port int) string {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(v.pairs["mine"].certificate)
	asking := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		},
	}}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := asking.Do(request)
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
