package kubernetes

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
)

// What the program tells of a cluster: metrics for each resource, krt's own
// collections by name, no content of Secrets anywhere; and it ends by SIGTERM.
func TestWhatItTells(t *testing.T) {
	t.Parallel()
	s := newSceneWithClass(t, shared)
	pair := newKeyPair(t, "app.example.org")
	s.create(t, append(s.backend("app"), s.tlsSecret("certificate", pair.certificate, pair.key),
		s.gateway("gw", httpsListener("https", 443, "certificate")), s.route("r", "gw", "app"))...)
	r := startRelay(t, s.environment.Config)
	p := serve(t, r.kubeconfig(t), s.flags("--debug")...)
	p.wantReady(t)
	connect(t, p, "delta", ofGateway(s.group("gw"))).until(t, "its secret", func(v view) bool { return len(v.secrets()) == 1 })

	for _, input := range inputs {
		// The API server of all tests may end a watch, and then it takes two seconds.
		eventually(t, input+" that are not stale", func() bool {
			stale, known := p.metric(t, `xdsready_source_stale_seconds{source="`+input+`"}`)
			return known && stale == 0
		})
		if synced, known := p.metric(t, `xdsready_check_synced{check="`+input+`",tier="informers"}`); !known || synced != 1 {
			t.Errorf("the check of %s is %v (known: %v), want 1", input, synced, known)
		}
	}
	r.set("services", cut)
	r.end("services")
	eventually(t, "a count of the error", func() bool {
		count, _ := p.metric(t, `xdsready_watch_errors_total{resource="services"}`)
		return count > 0
	})

	code, dump := p.ask(t, "/debug/krt")
	for _, want := range append([]string{s.group("gw")}, inputs[:6]...) {
		if code != http.StatusOK || !strings.Contains(dump, want) {
			t.Errorf("/debug/krt answers %d, and has no %s", code, want)
		}
	}
	key := strings.Split(string(pair.key), "\n")[1]
	for _, path := range []string{"/debug/krt", "/", "/readyz?verbose", "/metrics"} {
		if _, body := p.ask(t, path); strings.Contains(body, key) || strings.Contains(body, "PRIVATE KEY") || strings.Contains(body, base64.StdEncoding.EncodeToString(pair.key)) {
			t.Errorf("%s shows the key of a Secret", path)
		}
	}

	p.Terminate(t)
	p.WantExit(t)
}
