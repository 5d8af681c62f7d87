package kubernetes

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"k8s.io/client-go/rest"
)

// relay stands between the program and the API server. To the program it is an
// API server without TLS, to the API server it is the user of its config.
type relay struct {
	url string

	mu       sync.Mutex // guards all below
	requests []*url.URL
	filters  map[string]filter // by resource
}

// filter changes the body of an answer on its way to the program.
type filter func(body io.ReadCloser) io.ReadCloser

// startRelay starts a relay that acts with the config, until the test ends.
func startRelay(t *testing.T, config *rest.Config) *relay {
	t.Helper()
	target, err := url.Parse(config.Host)
	if err != nil {
		t.Fatal(err)
	}
	transport, err := rest.TransportFor(config)
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{filters: map[string]filter{}}
	proxy := &httputil.ReverseProxy{
		Transport:      transport,
		FlushInterval:  -1,
		Rewrite:        func(p *httputil.ProxyRequest) { p.SetURL(target) },
		ModifyResponse: r.filter,
		ErrorHandler:   func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		r.mu.Lock()
		r.requests = append(r.requests, request.URL)
		r.mu.Unlock()
		proxy.ServeHTTP(w, request)
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	r.url = server.URL
	return r
}

// resource is what a request to the API server is about, in the plural.
func resource(request *url.URL) string { return path.Base(request.Path) }

// filter implements httputil.ReverseProxy's ModifyResponse. Only lists and
// watches of whole resources are filtered.
func (r *relay) filter(response *http.Response) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f := r.filters[resource(response.Request.URL)]; f != nil && response.Request.Method == http.MethodGet {
		response.Body = f(response.Body)
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
	return writeKubeconfig(t, []byte(`apiVersion: v1
kind: Config
current-context: test
clusters: [{name: test, cluster: {server: "`+r.url+`"}}]
users: [{name: test, user: {}}]
contexts: [{name: test, context: {cluster: test, user: test}}]
`))
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
