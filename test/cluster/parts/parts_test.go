package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serveText answers requests for a path with a status and a text.
func serveText(t *testing.T, status int, texts map[string]string) (url string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, texts[r.URL.Path])
	}))
	t.Cleanup(server.Close)
	return server.URL
}

const stream, noStream = `{"stats": [{"name": "control_plane.connected_state", "value": 1}]}`, `{"stats": [{"name": "control_plane.connected_state", "value": 0}]}`

func TestSampleOfAnEnvoy(t *testing.T) {
	for _, test := range []struct {
		stats     string
		connected bool
	}{{stream, true}, {noStream, false}, {`{"stats": []}`, false}} {
		admin := serveText(t, http.StatusOK, map[string]string{"/stats": test.stats, "/clusters": `{"cluster_statuses": [
			{"name": "xdsready"},
			{"name": "shop/cart/80", "added_via_api": true, "host_statuses": [{}, {}]},
			{"name": "shop/empty/80", "added_via_api": true}]}`})
		got, err := ask(t.Context(), newClient(), admin)
		if err != nil {
			t.Fatal(err)
		}
		want := sample{endpoints: map[string]int{"shop/cart/80": 2, "shop/empty/80": 0}, connected: test.connected}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(sample{})); diff != "" {
			t.Errorf("with the stats %s: (-want +got):\n%s", test.stats, diff)
		}
	}
}

func TestAnAdminServerInTroubleIsNoEmptySample(t *testing.T) {
	for _, admin := range []string{
		serveText(t, http.StatusServiceUnavailable, map[string]string{"/clusters": `{}`, "/stats": stream}),
		serveText(t, http.StatusOK, map[string]string{"/clusters": `{"cluster_sta`, "/stats": stream}),
		serveText(t, http.StatusOK, map[string]string{"/clusters": `{}`, "/stats": `{"sta`}),
		"http://127.0.0.1:1",
	} {
		s := new(sampler)
		s.note(ask(t.Context(), newClient(), admin))
		if s.record.Samples != 0 || s.record.Unanswered != 1 {
			t.Errorf("%+v, want no sample and one question without an answer", s.record)
		}
	}
}

func TestWhatIsAFailedRequest(t *testing.T) {
	if failure := request(t.Context(), newClient(), serveText(t, http.StatusOK, nil)); failure != "" {
		t.Errorf("an answered request counts as failed: %s", failure)
	}
	got := request(t.Context(), newClient(), serveText(t, http.StatusServiceUnavailable, map[string]string{"/": "no healthy upstream\n"}))
	if want := "503 Service Unavailable: no healthy upstream"; got != want {
		t.Errorf("failure %q, want %q", got, want)
	}
	if request(t.Context(), newClient(), "http://127.0.0.1:1") == "" {
		t.Error("a request that reaches nobody does not count as failed")
	}
}

// newClient leaves no connections behind.
func newClient() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
}
