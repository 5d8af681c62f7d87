package apiserver

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
)

// Server is the API server. It is read only: a write is refused as RBAC does.
// All methods are safe for concurrent use.
type Server struct {
	URL string // http://127.0.0.1:port

	tb      testing.TB
	stopped chan struct{} // closed when the test ends: ends watches and held lists

	mu        sync.Mutex // guards all below
	revision  int        // of the last change
	changed   chan struct{}
	resources map[string]*resource // by plural name
}

// resource is one kind that the server knows.
type resource struct {
	group, version, kind, plural string

	refused bool
	held    bool
	events  []event // all that ever happened, in order; a list is their sum
}

// event is one change, in the form in which a watch sends it.
type event struct {
	revision int
	Type     string `json:"type"` // ADDED, DELETED or BOOKMARK
	Object   object `json:"object"`
}

// object is a Kubernetes object as JSON has it.
type object map[string]any

// New starts a server that has services, endpointslices, namespaces and leases,
// and stops it when the test ends.
func New(tb testing.TB) *Server {
	tb.Helper()
	s := &Server{tb: tb, revision: 1, stopped: make(chan struct{}), changed: make(chan struct{}), resources: map[string]*resource{}}
	for _, r := range []resource{
		{version: "v1", kind: "Service", plural: "services"},
		{version: "v1", kind: "Namespace", plural: "namespaces"},
		{group: "discovery.k8s.io", version: "v1", kind: "EndpointSlice", plural: "endpointslices"},
		{group: "coordination.k8s.io", version: "v1", kind: "Lease", plural: "leases"},
	} {
		s.resources[r.plural] = &r
	}
	server := httptest.NewServer(s.handler())
	tb.Cleanup(func() {
		close(s.stopped)
		server.Close()
	})
	s.URL = server.URL
	return s
}

// Add creates an object, given as its Go type or as a map.
func (s *Server) Add(plural string, of any) {
	s.tb.Helper()
	s.append(plural, "ADDED", of)
}

// Delete deletes the object with of's namespace and name.
func (s *Server) Delete(plural string, of any) {
	s.tb.Helper()
	s.append(plural, "DELETED", of)
}

func (s *Server) append(plural, what string, of any) {
	s.tb.Helper()
	raw, err := json.Marshal(of)
	if err != nil {
		s.tb.Fatalf("marshalling a test object: %v", err)
	}
	var o object
	if err := json.Unmarshal(raw, &o); err != nil {
		s.tb.Fatalf("a test object is not a JSON object: %v", err)
	}
	s.change(plural, func(r *resource) {
		o["apiVersion"], o["kind"] = r.apiVersion(), r.kind
		o.metadata()["resourceVersion"] = strconv.Itoa(s.revision)
		o.metadata()["uid"] = o.key()
		r.events = append(r.events, event{s.revision, what, o})
	})
}

// Refuse makes every later request for the resource fail as RBAC does: 403 with
// the API server's text. It does not end watches that run.
func (s *Server) Refuse(plural string) { s.change(plural, func(r *resource) { r.refused = true }) }

// Allow takes Refuse back.
func (s *Server) Allow(plural string) { s.change(plural, func(r *resource) { r.refused = false }) }

// Hold keeps every later list of the resource without an answer until Release.
func (s *Server) Hold(plural string) { s.change(plural, func(r *resource) { r.held = true }) }

// Release takes Hold back.
func (s *Server) Release(plural string) { s.change(plural, func(r *resource) { r.held = false }) }

// change changes a resource under a new revision and wakes who waits for it.
func (s *Server) change(plural string, change func(*resource)) {
	s.tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.resources[plural]
	if !ok {
		s.tb.Fatalf("the test API server does not know the resource %q", plural)
	}
	s.revision++
	change(r)
	close(s.changed)
	s.changed = make(chan struct{})
}

// await blocks until done, called under the lock, returns true; false when the
// request or the test has ended before.
func (s *Server) await(request *http.Request, done func() bool) bool {
	for {
		s.mu.Lock()
		ok, changed := done(), s.changed
		s.mu.Unlock()
		if ok {
			return true
		}
		select {
		case <-changed:
		case <-request.Context().Done():
			return false
		case <-s.stopped:
			return false
		}
	}
}

// Kubeconfig writes a kubeconfig file for this server and returns its path.
func (s *Server) Kubeconfig() string {
	s.tb.Helper()
	path := filepath.Join(s.tb.TempDir(), "kubeconfig")
	config := `apiVersion: v1
kind: Config
current-context: test
clusters: [{name: test, cluster: {server: "` + s.URL + `"}}]
users: [{name: test, user: {}}]
contexts: [{name: test, context: {cluster: test, user: test}}]
`
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		s.tb.Fatal(err)
	}
	return path
}

func (r *resource) apiVersion() string {
	if r.group == "" {
		return r.version
	}
	return r.group + "/" + r.version
}

// objects is the sum of the events: what a list returns.
func (r *resource) objects() []object {
	var keys []string
	current := map[string]object{}
	for _, e := range r.events {
		key := e.Object.key()
		if _, ok := current[key]; !ok {
			keys = append(keys, key)
		}
		current[key] = e.Object
		if e.Type == "DELETED" {
			current[key] = nil
		}
	}
	objects := []object{}
	for _, key := range keys {
		if current[key] != nil {
			objects = append(objects, current[key])
		}
	}
	return objects
}

// since returns the events after a revision.
func (r *resource) since(revision int) []event {
	for i, e := range r.events {
		if e.revision > revision {
			return r.events[i:]
		}
	}
	return nil
}

func (o object) metadata() map[string]any {
	m, _ := o["metadata"].(map[string]any)
	if m == nil {
		m = map[string]any{}
		o["metadata"] = m
	}
	return m
}

func (o object) key() string {
	namespace, _ := o.metadata()["namespace"].(string)
	name, _ := o.metadata()["name"].(string)
	return namespace + "/" + name
}
