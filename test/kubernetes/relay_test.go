package kubernetes

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/xdsready/xdsready/test/process"
)

// relay stands between the program and the API server. To the program it is an
// API server without TLS, to the API server it is the user of its config.
type relay struct {
	url string

	mu       sync.Mutex // guards all below
	requests []*url.URL
	filters  map[string]filter               // by resource
	paused   map[string]<-chan struct{}      // by resource: closed when its requests may go on
	running  map[string][]context.CancelFunc // by resource: end its requests
}

// filter changes an answer on its way to the program.
type filter func(*http.Response)

// startRelay starts a relay that acts with the config, until the test ends.
func startRelay(t *testing.T, config *rest.Config) *relay {
	t.Helper()
	return startRelayAt(t, config, listen(t, "127.0.0.1:0"))
}

// startRelayAt is startRelay with a listener.
func startRelayAt(t *testing.T, config *rest.Config, listener net.Listener) *relay {
	t.Helper()
	target, err := url.Parse(config.Host)
	if err != nil {
		t.Fatal(err)
	}
	transport, err := rest.TransportFor(config)
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{filters: map[string]filter{}, paused: map[string]<-chan struct{}{}, running: map[string][]context.CancelFunc{}}
	proxy := &httputil.ReverseProxy{
		Transport:      transport,
		FlushInterval:  -1,
		Rewrite:        func(p *httputil.ProxyRequest) { p.SetURL(target) },
		ModifyResponse: r.filter,
		ErrorHandler:   func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
			request, resumed := r.record(request)
			select {
			case <-resumed:
			case <-request.Context().Done():
			}
			proxy.ServeHTTP(w, request)
		}),
		ReadHeaderTimeout: process.Limit,
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), // handshakes fail on purpose
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener) // until Close
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-served
	})
	r.url = "http://" + listener.Addr().String()
	return r
}

// passing is closed: what nothing holds back.
var passing = func() <-chan struct{} {
	closed := make(chan struct{})
	close(closed)
	return closed
}()

// record notes a request, which may then be ended, and returns what it waits for.
func (r *relay) record(request *http.Request) (_ *http.Request, resumed <-chan struct{}) {
	ctx, cancel := context.WithCancel(request.Context())
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = append(r.requests, request.URL)
	of := resource(request.URL)
	r.running[of] = append(r.running[of], cancel)
	if resumed = r.paused[of]; resumed == nil {
		resumed = passing
	}
	return request.WithContext(ctx), resumed
}

// pause keeps later requests about a resource until resumed is closed.
func (r *relay) pause(resource string, resumed <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.paused[resource] = resumed
}

// end ends all requests about a resource that are under way.
func (r *relay) end(resource string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, cancel := range r.running[resource] {
		cancel()
	}
	r.running[resource] = nil
}

// listen listens on an address.
func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

// resource is what a request to the API server is about, in the plural.
func resource(request *url.URL) string { return path.Base(request.Path) }

// isWatch reports whether a request is for a watch.
func isWatch(request *url.URL) bool {
	watch, _ := strconv.ParseBool(request.Query().Get("watch"))
	return watch
}

// filter implements httputil.ReverseProxy's ModifyResponse.
func (r *relay) filter(response *http.Response) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f := r.filters[resource(response.Request.URL)]; f != nil {
		f(response)
	}
	return nil
}

// set has all later answers about a resource filtered; nil ends that.
func (r *relay) set(resource string, f filter) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.filters[resource] = f
}

// seen returns the requests so far.
func (r *relay) seen() []*url.URL {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.requests)
}

// kubeconfig writes a kubeconfig file that leads to the relay.
func (r *relay) kubeconfig(t *testing.T) string {
	t.Helper()
	return kubeconfigOf(t, r.url, nil, "")
}

// kubeconfigOf writes a kubeconfig file that leads to a URL, with a bearer token
// if there is one. A server with TLS must have a certificate of the CA.
func kubeconfigOf(t *testing.T, server string, ca []byte, token string) string {
	t.Helper()
	return writeKubeconfig(t, fmt.Appendf(nil, `apiVersion: v1
kind: Config
current-context: test
clusters: [{name: test, cluster: {server: %q, certificate-authority-data: %q}}]
users: [{name: test, user: {token: %q}}]
contexts: [{name: test, context: {cluster: test, user: test}}]
`, server, base64.StdEncoding.EncodeToString(ca), token))
}

// writeKubeconfig writes a kubeconfig file and returns its path.
func writeKubeconfig(t *testing.T, content []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
