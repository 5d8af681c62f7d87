package envoy

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/xdsready/xdsready/pkg/xds/admission"
)

// pendingFor is how long the tests keep a tier pending: twice the time after
// which an Envoy with a default bootstrap goes LIVE without any config.
const pendingFor = 60 * time.Second

// While one tier is pending, /readyz is red and an Envoy with our bootstrap is
// not ready, refused or held, for as long as it takes. When the tier reports,
// the Envoy serves traffic: held at once, refused after its short back-off.
func TestKeptOut(t *testing.T) {
	for _, test := range []struct {
		mode admission.Mode
		want time.Duration // from opening to traffic
	}{
		{admission.Hold, time.Second},
		{admission.Refuse, 3 * time.Second},
	} {
		for _, transport := range transports {
			t.Run(test.mode.String()+"/"+transport, func(t *testing.T) {
				t.Parallel()
				p := startPlane(t, test.mode, true, parse(t, whole(startBackend(t))))
				envoy := startEnvoy(t, bootstrap(t, "--xds-address", p.address, "--transport", transport), "all")

				never(t, "the gate opens or Envoy's /ready says 200", pendingFor, func() bool {
					return readyz(p) != http.StatusServiceUnavailable || envoy.ready()
				})
				if address := envoy.listener(); address != "" {
					t.Errorf("Envoy listens on %s while a tier is pending", address)
				}
				if refused := strings.Contains(envoy.output(), "informers: endpointslices pending"); refused != (test.mode == admission.Refuse) {
					t.Errorf("Envoy's log names the pending tier: %v", refused)
				}

				p.open()
				took := eventually(t, "traffic through Envoy", envoy.serves)
				t.Logf("%s, %s: kept out for %v, traffic %v after opening", test.mode, transport, pendingFor, took.Round(time.Millisecond))
				if took > test.want {
					t.Errorf("traffic %v after opening, want %v at most", took, test.want)
				}
				if !envoy.ready() || readyz(p) != http.StatusOK {
					t.Errorf("with traffic: Envoy ready %v, /readyz %d, want both good", envoy.ready(), readyz(p))
				}
			})
		}
	}
}

// readyz asks the plane's probe.
func readyz(p *plane) int {
	answer := httptest.NewRecorder()
	p.registry.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/readyz", nil))
	return answer.Code
}

// What the docs warn of: an Envoy whose bootstrap leaves initial_fetch_timeout
// at its default goes LIVE without any config 30 s after its start.
func TestDefaultBootstrapGoesLiveEmpty(t *testing.T) {
	t.Parallel()
	p := startPlane(t, admission.Refuse, true, parse(t, whole(startBackend(t))))
	text := bootstrap(t, "--xds-address", p.address)
	defaults := strings.ReplaceAll(text, "initial_fetch_timeout: 0s", "initial_fetch_timeout: 15s")
	if defaults == text {
		t.Fatal("the bootstrap has no initial_fetch_timeout: 0s to take away")
	}
	envoy := startEnvoy(t, defaults, "all")
	if !within(pendingFor, envoy.ready) {
		t.Fatalf("Envoy is not LIVE after %v: the warning in docs/envoy.md is out of date", pendingFor)
	}
	if code, _ := envoy.request(); code != 0 {
		t.Errorf("it serves: %d", code)
	}
}
