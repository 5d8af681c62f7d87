package envoy

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/xdsready/xdsready/pkg/xds/admission"
	"github.com/xdsready/xdsready/test/loopback"
)

// The address for probes answers when the Envoy has its configuration and not
// before, for as long as it is not draining, and shows of the admin server
// nothing else.
func TestReadyAddress(t *testing.T) {
	t.Parallel()
	p := startPlane(t, admission.Refuse, true, parse(t, whole(startBackend(t))))
	ready := loopback.Address(t)
	envoy := startEnvoy(t, bootstrap(t, "--xds-address", p.address, "--admin-address", loopback.Address(t), "--ready-address", ready), "all")
	probe := func() int {
		code, _ := get("http://" + ready + "/ready")
		return code
	}
	never(t, "an answer of the probe, without configuration", 3*time.Second, func() bool { return probe() != 0 })
	p.open()
	eventually(t, "a green probe", func() bool { return probe() == http.StatusOK })

	codes := map[string]int{}
	for _, path := range []string{"/stats/prometheus", "/stats/prometheus?usedonly", "/stats", "/config_dump", "/quitquitquit", "/ready/../config_dump"} {
		codes[path], _ = get("http://" + ready + path)
	}
	want := map[string]int{
		"/stats/prometheus": 200, "/stats/prometheus?usedonly": 200,
		"/stats": 404, "/config_dump": 404, "/quitquitquit": 404, "/ready/../config_dump": 404,
	}
	if diff := cmp.Diff(want, codes); diff != "" {
		t.Errorf("answers by path (-want +got):\n%s", diff)
	}

	response, err := client.Post("http://"+envoy.admin+"/healthcheck/fail", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a red probe", func() bool { return probe() == http.StatusServiceUnavailable })
}
