package statuspage

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// ask sends a request to the handler of a page.
func ask(t *testing.T, page Page, method, target, accept string) (*http.Response, string) {
	t.Helper()
	request := httptest.NewRequest(method, target, nil)
	if accept != "" {
		request.Header.Set("Accept", accept)
	}
	recorder := httptest.NewRecorder()
	Handler(func() Page { return page }).ServeHTTP(recorder, request)
	response := recorder.Result()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

// The files are what people and programs get: look at them when they change.
func TestGolden(t *testing.T) {
	for name, page := range map[string]Page{"starting": starting(), "serving": serving(), "empty": {Time: now}} {
		for _, format := range []string{"html", "json"} {
			t.Run(name+"."+format, func(t *testing.T) {
				_, got := ask(t, page, http.MethodGet, "/?format="+format, "")
				golden := filepath.Join("testdata", name+"."+format)
				if *update {
					if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(golden)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(want), got); diff != "" {
					t.Errorf("%s differs; run go test -update and look at the change (-want +got):\n%s", golden, diff)
				}
			})
		}
	}
}

func TestHandler(t *testing.T) {
	const html, json, text = "text/html; charset=utf-8", "application/json", "text/plain; charset=utf-8"
	for _, test := range []struct {
		name, method, target, accept string
		code                         int
		contentType                  string
	}{
		{"a browser gets HTML", "GET", "/", "text/html,application/xhtml+xml,*/*;q=0.8", 200, html},
		{"curl gets HTML", "GET", "/", "*/*", 200, html},
		{"a program that accepts JSON gets it", "GET", "/", "application/json", 200, json},
		{"?format=json gives JSON", "GET", "/?format=json", "text/html", 200, json},
		{"?format=html wins over Accept", "GET", "/?format=html", "application/json", 200, html},
		{"HEAD works", "HEAD", "/", "", 200, html},
		{"another format is refused", "GET", "/?format=xml", "", 400, text},
		{"another path is not found", "GET", "/status", "", 404, text},
		{"another method is refused", "POST", "/", "", 405, text},
	} {
		t.Run(test.name, func(t *testing.T) {
			response, body := ask(t, serving(), test.method, test.target, test.accept)
			if response.StatusCode != test.code || response.Header.Get("Content-Type") != test.contentType {
				t.Errorf("%s %s: %d %q, want %d %q", test.method, test.target,
					response.StatusCode, response.Header.Get("Content-Type"), test.code, test.contentType)
			}
			if response.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Error("X-Content-Type-Options is not nosniff")
			}
			if test.code == 400 && !strings.Contains(body, "use html or json") {
				t.Errorf("body %q does not say what to do", body)
			}
		})
	}
}
