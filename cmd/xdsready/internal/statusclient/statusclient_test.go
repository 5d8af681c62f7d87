package statusclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/statuspage"
	"github.com/xdsready/xdsready/pkg/ready"
)

// page is one of an instance that is ready or not.
func page(isReady bool) statuspage.Page {
	p := statuspage.Page{Time: time.Unix(0, 0).UTC(), Source: "dir:config", Status: ready.Status{
		Phase: ready.Starting, Tiers: []ready.TierStatus{{Name: "inputs", State: ready.Pending, Seconds: 1, Checks: []ready.CheckStatus{
			{Name: "services", State: ready.Failed, Message: "forbidden", Seconds: 1},
		}}},
	}}
	if isReady {
		p.Status.Ready, p.Status.Open, p.Status.Phase = true, true, ready.Ready
		p.Status.Tiers[0].State, p.Status.Tiers[0].Checks[0] = ready.Synced, ready.CheckStatus{Name: "services", State: ready.Synced, Seconds: 2}
	}
	return p
}

// transport answers requests without a network.
type transport func() (http.Handler, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) {
	handler, err := f()
	if err != nil {
		return nil, err
	}
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, r)
	return recorder.Result(), nil
}

// serving answers with a page.
func serving(p statuspage.Page) http.Handler {
	return statuspage.Handler(func() statuspage.Page { return p })
}

func TestRun(t *testing.T) {
	registry := ready.New("inputs") // not started: red
	embedder := http.NewServeMux()
	embedder.Handle("/readyz", registry)
	for _, test := range []struct {
		name    string
		handler http.Handler
		ready   bool
		want    []string
	}{
		{"an instance that is ready", serving(page(true)), true, []string{"ready. The gate is open", "dir:config", "services  synced"}},
		{"an instance that is not", serving(page(false)), false, []string{"not ready: starting", "forbidden"}},
		{"a program with a registry alone", embedder, false, []string{"not ready: starting", "the registry is not started", "inputs"}},
		{"another program's status page", func() http.Handler {
			mux := http.NewServeMux()
			mux.Handle("/readyz", registry)
			mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write([]byte(`{"hello": "world"}`))
			})
			return mux
		}(), false, []string{"not ready: starting"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := httptest.NewServer(test.handler)
			defer server.Close()
			for _, address := range []string{server.URL, server.Listener.Addr().String(), server.URL + "/"} {
				var out bytes.Buffer
				isReady, err := Run(t.Context(), Options{Address: address, Out: &out, transport: server.Client().Transport})
				if isReady != test.ready || err != nil {
					t.Errorf("Run(%s) = %v, %v, want %v", address, isReady, err, test.ready)
				}
				for _, want := range test.want {
					if !strings.Contains(out.String(), want) {
						t.Errorf("Run(%s) prints no %q:\n%s", address, want, out.String())
					}
				}
			}
		})
	}
}

func TestRunJSON(t *testing.T) {
	var out bytes.Buffer
	o := Options{Address: "a:1", Out: &out, JSON: true, transport: transport(func() (http.Handler, error) { return serving(page(true)), nil })}
	if isReady, err := Run(t.Context(), o); !isReady || err != nil {
		t.Fatalf("Run = %v, %v", isReady, err)
	}
	want, err := page(true).JSON()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), out.String()); diff != "" {
		t.Errorf("Run (-want +got):\n%s", diff)
	}
}

// Each error says what to do.
func TestRunErrors(t *testing.T) {
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"phase": 1`))
	}))
	defer broken.Close()
	foreign := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{}`))
	}))
	defer foreign.Close()
	for _, test := range []struct {
		name, address string
		want          []string
	}{
		{"nobody listens", "127.0.0.1:1", []string{"connection refused", "start xdsready there", "--http-address"}},
		{"another server", other.URL, []string{"not as xdsready does", "404 Not Found", "--http-address"}},
		{"a broken answer", broken.URL, []string{"not as xdsready does", "/readyz", "--http-address"}},
		{"an answer of somebody else", foreign.URL, []string{"names no phase", "--http-address"}},
		{"a bad address", "a b", []string{"--http-address", "a b"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			_, err := Run(t.Context(), Options{Address: test.address, Out: &out, transport: &http.Transport{DisableKeepAlives: true}})
			for _, want := range test.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("Run: %v, want %q in it", err, want)
				}
			}
			if out.Len() > 0 {
				t.Errorf("printed %q", out.String())
			}
		})
	}
}

// sequence answers with one step after the other, and with the last one for
// ever.
type sequence []func() (http.Handler, error)

func (s *sequence) next() (http.Handler, error) {
	step := (*s)[0]
	if len(*s) > 1 {
		*s = (*s)[1:]
	}
	return step()
}

func answers(p statuspage.Page) func() (http.Handler, error) {
	return func() (http.Handler, error) { return serving(p), nil }
}

// refuses fails both questions that are asked then.
func refuses() (http.Handler, error) { return nil, errors.New("refused") }

func TestWatch(t *testing.T) {
	later := page(false)
	later.Time, later.Status.Uptime, later.Status.Tiers[0].Seconds = later.Time.Add(time.Hour), 5, 9
	later.Status.Tiers[0].Checks[0].Seconds = 9
	steps := sequence{answers(page(false)), answers(later), refuses, refuses, answers(page(true))}
	for _, test := range []struct {
		name         string
		screen, json bool
		count        map[string]int // how often a text is printed in 10 s
	}{
		{"prints what has changed", false, false, map[string]int{"--- ": 3, "not ready: starting": 1, "refused": 1, "ready. The gate is open": 1, clearScreen: 0}},
		{"draws a terminal anew", true, false, map[string]int{clearScreen: 10, "not ready: starting": 2, "ready. The gate is open": 7, "--- ": 0}},
		{"prints JSON that has changed", true, true, map[string]int{`"ready": false`: 1, `"error":`: 1, `"ready": true`: 1, clearScreen: 0, "--- ": 0}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				left := steps
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second-time.Millisecond)
				defer cancel()
				isReady, err := Watch(ctx, Options{Address: "a:1", Out: &out, Screen: test.screen, JSON: test.json, transport: transport(left.next)})
				if !isReady || err != nil {
					t.Errorf("Watch = %v, %v, want the last answer, ready", isReady, err)
				}
				for text, want := range test.count {
					if got := strings.Count(out.String(), text); got != want {
						t.Errorf("%q is printed %d times, want %d", text, got, want)
					}
				}
				if test.json {
					for decoder := json.NewDecoder(&out); decoder.More(); {
						var document any
						if err := decoder.Decode(&document); err != nil {
							t.Fatalf("not JSON: %v", err)
						}
					}
				}
			})
		})
	}
}

// A watch that has never been answered ends with the reason.
func TestWatchWithoutAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second-time.Millisecond)
		defer cancel()
		isReady, err := Watch(ctx, Options{Address: "a:1", Out: &bytes.Buffer{}, transport: transport(refuses)})
		if isReady || err == nil || !strings.Contains(err.Error(), "refused") {
			t.Errorf("Watch = %v, %v", isReady, err)
		}
	})
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestOutputFails(t *testing.T) {
	for name, run := range map[string]func(context.Context, Options) (bool, error){"Run": Run, "Watch": Watch} {
		o := Options{Address: "a:1", Out: full{}, transport: transport(answers(page(true)))}
		if _, err := run(t.Context(), o); err == nil || err.Error() != "disk full" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
