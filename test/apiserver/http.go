package apiserver

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// handler routes what client-go, controller-runtime and krt ask for.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, object{"major": "1", "minor": "36", "gitVersion": "v1.36.0"})
	})
	mux.HandleFunc("GET /api", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, object{"kind": "APIVersions", "versions": []string{"v1"}})
	})
	mux.HandleFunc("GET /apis", s.serveGroups)
	mux.HandleFunc("GET /api/{version}", s.serveResources)
	mux.HandleFunc("GET /apis/{group}/{version}", s.serveResources)
	for _, root := range []string{"/api/v1", "/apis/{group}/{version}"} {
		mux.HandleFunc(root+"/{plural}", s.serveList)
		mux.HandleFunc(root+"/namespaces/{namespace}/{plural}", s.serveList)
		mux.HandleFunc(root+"/namespaces/{namespace}/{plural}/{name}", s.serveObject)
	}
	return mux
}

func (s *Server) serveGroups(w http.ResponseWriter, _ *http.Request) {
	groups := []object{}
	for _, r := range s.resources {
		if r.group != "" {
			version := object{"groupVersion": r.apiVersion(), "version": r.version}
			groups = append(groups, object{"name": r.group, "versions": []object{version}, "preferredVersion": version})
		}
	}
	answer(w, http.StatusOK, object{"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

func (s *Server) serveResources(w http.ResponseWriter, request *http.Request) {
	resources := []object{}
	for _, r := range s.resources {
		if r.group == request.PathValue("group") {
			resources = append(resources, object{
				"name": r.plural, "singularName": strings.ToLower(r.kind), "namespaced": r.kind != "Namespace",
				"kind": r.kind, "verbs": []string{"get", "list", "watch"},
			})
		}
	}
	version := strings.TrimPrefix(strings.TrimPrefix(request.URL.Path, "/apis/"), "/api/")
	answer(w, http.StatusOK, object{"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": resources})
}

// permit finds the resource and says whether the caller may do verb; if not,
// the request has been answered.
func (s *Server) permit(w http.ResponseWriter, request *http.Request, verb string) *resource {
	s.mu.Lock()
	r := s.resources[request.PathValue("plural")]
	refused := r != nil && r.refused
	s.mu.Unlock()
	switch {
	case r == nil || r.group != request.PathValue("group"):
		fail(w, http.StatusNotFound, "NotFound", "the server could not find the requested resource")
	case refused || request.Method != http.MethodGet:
		fail(w, http.StatusForbidden, "Forbidden", fmt.Sprintf(
			`%s is forbidden: User "test" cannot %s resource %q in API group %q at the cluster scope`, r.plural, verb, r.plural, r.group))
	default:
		return r
	}
	return nil
}

func (s *Server) serveObject(w http.ResponseWriter, request *http.Request) {
	r := s.permit(w, request, strings.ToLower(request.Method))
	if r == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range r.objects() {
		if o.key() == request.PathValue("namespace")+"/"+request.PathValue("name") {
			answer(w, http.StatusOK, o)
			return
		}
	}
	fail(w, http.StatusNotFound, "NotFound", fmt.Sprintf("%s %q not found", r.plural, request.PathValue("name")))
}

func (s *Server) serveList(w http.ResponseWriter, request *http.Request) {
	query := request.URL.Query()
	watch := query.Get("watch") == "true" || query.Get("watch") == "1"
	initial := !watch || query.Get("sendInitialEvents") == "true"
	verb := "list"
	if watch {
		verb = "watch"
	}
	r := s.permit(w, request, verb)
	if r == nil || initial && !s.await(request, func() bool { return !r.held }) {
		return
	}
	if watch {
		s.serveWatch(w, request, r, initial)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	answer(w, http.StatusOK, object{
		"kind": r.kind + "List", "apiVersion": r.apiVersion(),
		"metadata": object{"resourceVersion": strconv.Itoa(s.revision)}, "items": r.objects(),
	})
}

// serveWatch streams events until the request or the test ends: those after the
// asked revision, or first all objects and a bookmark that ends them.
func (s *Server) serveWatch(w http.ResponseWriter, request *http.Request, r *resource, initial bool) {
	sent, _ := strconv.Atoi(request.URL.Query().Get("resourceVersion"))
	w.Header().Set("Content-Type", "application/json")
	stream := json.NewEncoder(w)
	if initial {
		s.mu.Lock()
		sent = s.revision
		objects := r.objects()
		s.mu.Unlock()
		for _, o := range objects {
			_ = stream.Encode(event{Type: "ADDED", Object: o}) // an error means that the client has gone
		}
		_ = stream.Encode(event{Type: "BOOKMARK", Object: r.bookmark(sent)})
	}
	for {
		_ = http.NewResponseController(w).Flush() // an error means that the client has gone
		var events []event
		if !s.await(request, func() bool { events = r.since(sent); return len(events) > 0 }) {
			return
		}
		for _, e := range events {
			_ = stream.Encode(e)
			sent = e.revision
		}
	}
}

// bookmark ends the initial events of a watch that was asked to send them.
func (r *resource) bookmark(revision int) object {
	return object{"kind": r.kind, "apiVersion": r.apiVersion(), "metadata": object{
		"resourceVersion": strconv.Itoa(revision),
		"annotations":     object{"k8s.io/initial-events-end": "true"},
	}}
}

func answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // an error means that the client has gone
}

func fail(w http.ResponseWriter, code int, reason, message string) {
	answer(w, code, object{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": message, "code": code})
}
