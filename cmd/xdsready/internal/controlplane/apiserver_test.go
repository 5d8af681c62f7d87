package controlplane

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"sync"
	"testing"
)

// kinds are those of the resources that the control plane reads.
var kinds = map[string]string{
	"gatewayclasses": "GatewayClass", "gateways": "Gateway", "httproutes": "HTTPRoute", "referencegrants": "ReferenceGrant",
	"services": "Service", "endpointslices": "EndpointSlice", "secrets": "Secret", "namespaces": "Namespace",
}

// apiServer stands for the API server of an empty cluster.
type apiServer struct {
	mu        sync.Mutex
	forbidden string // the resource that may not be read
	cut       chan struct{}
}

// startAPIServer runs one until the test ends and returns a kubeconfig for it.
func startAPIServer(t *testing.T) (a *apiServer, kubeconfig string) {
	t.Helper()
	a = &apiServer{cut: make(chan struct{})}
	server := httptest.NewServer(a)
	t.Cleanup(server.Close) // the planes, whose watches it would wait for, have ended
	return a, writeKubeconfig(t, server.URL)
}

func writeKubeconfig(t *testing.T, url string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`{kind: Config, apiVersion: v1, current-context: c, contexts: [{name: c, context: {cluster: c}}],
clusters: [{name: c, cluster: {server: %q}}]}`, url)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// forbid ends the watch of a resource and refuses it from then on, no other.
func (a *apiServer) forbid(resource string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.forbidden = resource
	close(a.cut)
	a.cut = make(chan struct{})
}

func (a *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	forbidden, cut := a.state()
	resource := path.Base(r.URL.Path)
	w.Header().Set("Content-Type", "application/json")
	if resource == forbidden || r.URL.Query().Get("watch") == "" {
		w.WriteHeader(http.StatusForbidden)
		_, _ = fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403,"message":"you may not read %s"}`, resource)
		return
	}
	version := path.Base(path.Dir(r.URL.Path)) // /api/v1/… or /apis/GROUP/VERSION/…
	if group := path.Base(path.Dir(path.Dir(r.URL.Path))); group != "api" {
		version = group + "/" + version
	}
	_, _ = fmt.Fprintf(w, `{"type":"BOOKMARK","object":{"kind":%q,"apiVersion":%q,"metadata":{"resourceVersion":"1","annotations":{"k8s.io/initial-events-end":"true"}}}}`,
		kinds[resource], version)
	if flusher, ok := w.(http.Flusher); ok {
		flusher.Flush()
	}
	for forbidden != resource {
		select {
		case <-r.Context().Done():
			return
		case <-cut:
			forbidden, cut = a.state()
		}
	}
}

func (a *apiServer) state() (forbidden string, cut <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.forbidden, a.cut
}
