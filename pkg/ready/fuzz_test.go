package ready_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/xdsready/xdsready/pkg/ready"
)

// FuzzReadyz asks with any path, query and Accept header. Nothing panics, each
// answer is 200, 400, 404 or 503, a JSON answer is JSON, and /readyz is green
// with the gate shut only where the query names what to leave out.
func FuzzReadyz(f *testing.F) {
	for _, seed := range [][3]string{
		{"/readyz", "", ""}, {"/readyz", "exclude=", ""}, {"/readyz", "verbose&exclude=inputs", "application/json"},
		{"/readyz/inputs/a", "format=text", "application/json"}, {"/readyz/typo", "format=json", ""}, {"/readyz//", "exclude", ""},
		{"/livez", "%", ""}, {"/startupz/", "a;b", ""}, {"/readyz/inputs/a b (2)", "exclude=a&exclude=&exclude=inputs/a", ""},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, path, query, accept string) {
		r := ready.NewWithOptions(quiet(), "inputs", "snapshot")
		r.Tier("inputs").Signal("a")
		r.Tier("snapshot").Signal("b", ready.Eager())()
		r.Tier("typo").Signal("c", ready.Eager())()
		q := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: path, RawQuery: query}, Header: http.Header{"Accept": {accept}}}
		w := httptest.NewRecorder()
		r.ServeHTTP(w, q)
		switch w.Code {
		case http.StatusOK, http.StatusBadRequest, http.StatusNotFound, http.StatusServiceUnavailable:
		default:
			t.Errorf("%q?%q = %d", path, query, w.Code)
		}
		if w.Header().Get("Content-Type") == "application/json" && !json.Valid(w.Body.Bytes()) {
			t.Errorf("%q?%q is not JSON: %s", path, query, w.Body)
		}
		if w.Body.Len() == 0 {
			t.Errorf("%q?%q has no body", path, query)
		}
		if path == "/readyz" && w.Code == http.StatusOK && !excludesAllPending(q.URL.Query()["exclude"]) {
			t.Errorf("/readyz?%s is green: %s", query, w.Body)
		}
		if strings.TrimSuffix(path, "/") == "/readyz/inputs" && w.Code == http.StatusNotFound {
			t.Errorf("%q was not found", path)
		}
	})
}

// excludesAllPending reports whether the names leave out all that keeps the
// registry of FuzzReadyz red.
func excludesAllPending(names []string) bool {
	inputs := slices.ContainsFunc(names, func(name string) bool { return name == "inputs" || name == "a" || name == "inputs/a" })
	return inputs && slices.Contains(names, "typo")
}
