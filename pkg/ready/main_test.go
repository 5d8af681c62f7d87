package ready_test

import (
	"context"
	"flag"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/xdsready/xdsready/pkg/ready"
)

// update rewrites the golden files in testdata instead of comparing with them.
var update = flag.Bool("update", false, "rewrite the golden files in testdata")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start starts r in the test's synctest bubble and returns a function that ends
// the run, waits for it and returns what Start returned. The run ends with the
// test at the latest.
func start(t *testing.T, r *ready.Registry) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Start(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() { _ = stop() })
	synctest.Wait()
	return stop
}

// quiet returns options without a log.
func quiet() ready.Options { return ready.Options{Logger: slog.New(slog.DiscardHandler)} }

// open returns a registry with one synced check whose gate is open.
func open() *ready.Registry {
	r := ready.NewWithOptions(quiet(), "inputs")
	r.Tier("inputs").Signal("a")()
	return r
}

// tier returns the status of a tier and fails the test if there is none.
func tier(t *testing.T, r *ready.Registry, name string) ready.TierStatus {
	t.Helper()
	for _, s := range r.Status().Tiers {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("Status() has no tier %q", name)
	return ready.TierStatus{}
}

// check returns the status of a check and fails the test if there is none.
func check(t *testing.T, r *ready.Registry, tierName, name string) ready.CheckStatus {
	t.Helper()
	for _, s := range tier(t, r, tierName).Checks {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("Status() has no check %q in tier %q", name, tierName)
	return ready.CheckStatus{}
}

// wantState fails the test unless the check is in that state and its message
// contains that text; an empty text stands for no message.
func wantState(t *testing.T, r *ready.Registry, tierName, name string, state ready.State, message string) {
	t.Helper()
	got := check(t, r, tierName, name)
	if got.State != state || !strings.Contains(got.Message, message) || message == "" && got.Message != "" {
		t.Errorf("check %s/%s is %s (%q), want %s with %q", tierName, name, got.State, got.Message, state, message)
	}
}

// wantShut fails the test unless the gate is shut and all answers say so.
func wantShut(t *testing.T, r *ready.Registry) {
	t.Helper()
	wantBits(t, r, false, false)
}

// wantOpen fails the test unless the gate is open and all answers say so.
func wantOpen(t *testing.T, r *ready.Registry) {
	t.Helper()
	wantBits(t, r, true, true)
	if !isClosed(r.Opened()) {
		t.Error("the gate is open, but Opened() is not closed")
	}
}

// wantBits compares the two bits of the gate in each place where they show.
func wantBits(t *testing.T, r *ready.Registry, isReady, isOpen bool) {
	t.Helper()
	s := r.Status()
	for _, c := range []struct {
		what      string
		got, want bool
	}{
		{"Ready()", r.Ready(), isReady},
		{"Status().Ready", s.Ready, isReady},
		{"Err() == nil", r.Err() == nil, isReady},
		{"Check(nil) == nil", r.Check(nil) == nil, isReady},
		{"GET /readyz is 200", get(r, "/readyz").Code == http.StatusOK, isReady},
		{"GET /readyz?verbose is 200", get(r, "/readyz?verbose").Code == http.StatusOK, isReady},
		{"Open()", r.Open(), isOpen},
		{"Status().Open", s.Open, isOpen},
		{"AdmissionErr() == nil", r.AdmissionErr() == nil, isOpen},
		{"Phase() is that of Status()", r.Phase() == s.Phase, true},
	} {
		if c.got != c.want {
			t.Errorf("%s = %t, want %t (Err: %v)", c.what, c.got, c.want, r.Err())
		}
	}
}

// wantText fails the test unless text contains all of the parts.
func wantText(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s has no %q:\n%s", what, part, text)
		}
	}
}

// golden compares with a file in testdata, whose first line says what is
// guarded.
func golden(t *testing.T, name, guards, got string) {
	t.Helper()
	got = "# guards: " + guards + "\n" + got
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("not as %s (-file +got), go test ./pkg/ready -update rewrites it:\n%s", path, diff)
	}
}

// get asks the registry's handler as a prober would.
func get(h http.Handler, target string, header ...string) *httptest.ResponseRecorder {
	return request(h, http.MethodGet, target, header...)
}

// request is get with a method; header is a list of names and values.
func request(h http.Handler, method, target string, header ...string) *httptest.ResponseRecorder {
	q := httptest.NewRequest(method, target, nil)
	for i := 0; i+1 < len(header); i += 2 {
		q.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, q)
	return w
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
