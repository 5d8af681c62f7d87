package statuspage

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// ask sends a request to the handler of a page.
func ask(page Page, method, target, accept string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(method, target, nil)
	if accept != "" {
		request.Header.Set("Accept", accept)
	}
	recorder := httptest.NewRecorder()
	Handler(func() Page { return page }).ServeHTTP(recorder, request)
	return recorder
}

// The files are what people and programs get: look at them when they change.
func TestGolden(t *testing.T) {
	for name, page := range pages() {
		for format, got := range map[string]string{
			"html": ask(page, http.MethodGet, "/?format=html", "").Body.String(),
			"json": ask(page, http.MethodGet, "/?format=json", "").Body.String(),
			"txt":  page.Text(false),
		} {
			t.Run(name+"."+format, func(t *testing.T) {
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
			response := ask(serving(), test.method, test.target, test.accept)
			if got := response.Header().Get("Content-Type"); response.Code != test.code || got != test.contentType {
				t.Errorf("%s %s: %d %q, want %d %q", test.method, test.target, response.Code, got, test.code, test.contentType)
			}
			if response.Header().Get("X-Content-Type-Options") != "nosniff" {
				t.Error("X-Content-Type-Options is not nosniff")
			}
			if body := response.Body.String(); test.code == 400 && !strings.Contains(body, "use html or json") {
				t.Errorf("body %q does not say what to do", body)
			}
		})
	}
}
