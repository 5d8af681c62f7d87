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

// serveText answers every request with a status and a text.
func serveText(t *testing.T, status int, text string) (url string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestClustersOfAnEnvoy(t *testing.T) {
	admin := serveText(t, http.StatusOK, `{"cluster_statuses": [
		{"name": "xdsready"},
		{"name": "shop/cart/80", "added_via_api": true, "host_statuses": [{}, {}]},
		{"name": "shop/empty/80", "added_via_api": true}]}`)
	got, err := clusters(t.Context(), newClient(), admin)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"shop/cart/80": 2, "shop/empty/80": 0}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("clusters from the control plane, and their endpoints (-want +got):\n%s", diff)
	}
}

func TestAnAdminServerInTroubleIsNoEmptySample(t *testing.T) {
	for _, admin := range []string{
		serveText(t, http.StatusServiceUnavailable, `{}`),
		serveText(t, http.StatusOK, `{"cluster_sta`),
		"http://127.0.0.1:1",
	} {
		s := new(sampler)
		s.note(clusters(t.Context(), newClient(), admin))
		if s.record.Samples != 0 || s.record.Unanswered != 1 {
			t.Errorf("%+v, want no sample and one question without an answer", s.record)
		}
	}
}

func TestWhatIsAFailedRequest(t *testing.T) {
	if failure := request(t.Context(), newClient(), serveText(t, http.StatusOK, "echo-1")); failure != "" {
		t.Errorf("an answered request counts as failed: %s", failure)
	}
	got := request(t.Context(), newClient(), serveText(t, http.StatusServiceUnavailable, "no healthy upstream\n"))
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
