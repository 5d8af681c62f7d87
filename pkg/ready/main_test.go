package ready_test

import (
	"context"
	"flag"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/xdsready/xdsready/pkg/ready"
)

// update rewrites the golden files in testdata instead of comparing with them.
var update = flag.Bool("update", false, "rewrite the golden files in testdata")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bubble runs f with fake time.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// start starts r and returns a function that ends the run, waits for it and
// returns what Start returned. The run ends with the test at the latest.
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
	if inBubble(t) {
		synctest.Wait()
	}
	return stop
}

// inBubble reports whether the test runs with fake time: synctest's clock
// starts at midnight of 2000-01-01 and no real clock shows that year.
func inBubble(t *testing.T) bool {
	t.Helper()
	return time.Now().Year() == 2000
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
// contains that text.
func wantState(t *testing.T, r *ready.Registry, tierName, name string, state ready.State, message string) {
	t.Helper()
	got := check(t, r, tierName, name)
	if got.State != state || !strings.Contains(got.Message, message) {
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
	} {
		if c.got != c.want {
			t.Errorf("%s = %t, want %t (Err: %v)", c.what, c.got, c.want, r.Err())
		}
	}
}

// get asks the registry's handler as a prober would.
func get(h http.Handler, target string, header ...string) *httptest.ResponseRecorder {
	return request(h, http.MethodGet, target, header...)
}

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
