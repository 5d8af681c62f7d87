package kubernetes

import (
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// noticed is within how long the absence of an API server shows. One that hangs
// looks for a while like one that has nothing to tell.
const noticed = 10 * time.Second

// outage is how long the API server is away; OUTAGE=5m is what the
// documentation promises.
func outage(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("OUTAGE")
	if text == "" {
		return 20 * time.Second
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("OUTAGE: %v", err)
	}
	return d
}

// While the API server is away, whether it has died or hangs, the last snapshot
// is served to old and new proxies, and /readyz stays green, unless it was asked
// to turn red when the source is stale. Since when that is can be read.
func TestAPIServerAway(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		away syscall.Signal
		back func(*testing.T, *apiServer)
	}{
		{"killed", syscall.SIGKILL, func(t *testing.T, a *apiServer) { t.Helper(); a.restart(t) }},
		{"hanging", syscall.SIGSTOP, func(t *testing.T, a *apiServer) { t.Helper(); a.signal(t, syscall.SIGCONT) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newSceneWithClass(t, startAPIServer(t, apiOptions{}))
			s.create(t, append(s.backend("app"), s.gateway("gw"), s.route("r", "gw", "app"))...)
			lasting, live := s.serve(t), s.serve(t, "--unready-when-stale", "5s")
			lasting.wantReady(t)
			live.wantReady(t)
			old := connect(t, lasting, "delta", ofGateway(s.group("gw")))
			old.until(t, "its route", s.serves("r", "app"))

			s.signal(t, test.away)
			began := time.Now()
			wantStale(t, s, lasting, live)
			never(t, "/readyz turned red", outage(t)-time.Since(began), func() bool { return !lasting.ready(t) })
			stale, _ := lasting.metric(t, `xdsready_source_stale_seconds{source="services"}`)
			if away := time.Since(began); stale > away.Seconds() || stale < (away-noticed).Seconds() {
				t.Errorf("the source is stale for %.1f s, the API server away for %v", stale, away)
			}
			if !s.serves("r", "app")(old.now()) {
				t.Errorf("the proxy lost its route; it holds %s", old.inventory())
			}

			test.back(t, s.apiServer)
			live.wantReady(t)
			s.create(t, append(s.backend("later"), s.route("r2", "gw", "later"))...)
			old.until(t, "a route that came later", s.serves("r2", "later"))
			for _, input := range inputs {
				eventually(t, "an end of the staleness of "+input, func() bool {
					stale, known := lasting.metric(t, `xdsready_source_stale_seconds{source="`+input+`"}`)
					return known && stale == 0
				})
			}
		})
	}
}

// wantStale checks what two programs say and serve while the API server is away.
func wantStale(t *testing.T, s *scene, lasting, live *program) {
	t.Helper()
	for _, input := range inputs {
		lasting.until(t, "/readyz?verbose", "green, and stale in "+input, func(code int, body string) bool {
			return code == http.StatusOK && hasLine(body, "informers/"+input, "stale since")
		})
	}
	lasting.until(t, "/", "a page that says it", func(_ int, body string) bool {
		return strings.Contains(body, "services") && strings.Contains(body, "since")
	})
	for _, transport := range transports {
		connect(t, lasting, transport, ofGateway(s.group("gw"))).until(t, "the last snapshot", s.serves("r", "app"))
	}
	live.wantNamed(t, "freshness", "stale", "--unready-when-stale")
	connect(t, live, "delta", ofGateway(s.group("gw"))).until(t, "the last snapshot", s.serves("r", "app"))
}
