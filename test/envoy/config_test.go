package envoy

import (
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// broken has a fault in line 5: a port that is no number.
const broken = `resources:
- "@type": type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment
  cluster_name: backend
  endpoints:
  - lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: abc}}}}]
`

// A directory that is broken at the start keeps /readyz red, which names file
// and line, and keeps the Envoy out, until it is mended.
func TestBrokenConfigAtStart(t *testing.T) {
	t.Parallel()
	files := whole(startBackend(t))
	good := files["endpoints.yaml"]
	files["endpoints.yaml"] = broken
	c := startServe(t, files)
	envoy := startEnvoy(t, bootstrap(t, "--xds-address", c.xds), "all")

	eventually(t, "a /readyz that names file and line", func() bool { return c.says("/readyz", "endpoints.yaml:5") })
	eventually(t, "an Envoy that was refused with file and line", func() bool { return strings.Contains(envoy.output(), "endpoints.yaml:5") })
	never(t, "xdsready or Envoy is ready", 3*time.Second, func() bool { return c.ready() || envoy.ready() })
	if !c.says("/metrics", "xdsready_config_errors 1") {
		t.Error("/metrics does not say xdsready_config_errors 1")
	}

	c.write(t, "endpoints.yaml", good)
	eventually(t, "traffic through Envoy", envoy.serves)
	if !c.ready() {
		t.Error("/readyz is red after the fault was mended")
	}
}

// A fault while running keeps the last good snapshot serving: not one request
// fails, and the fault is shown until it is mended.
func TestBrokenUpdateKeepsTraffic(t *testing.T) {
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			first, second := startBackend(t), startBackend(t)
			c := startServe(t, whole(first))
			envoy := startEnvoy(t, bootstrap(t, "--xds-address", c.xds, "--transport", transport), "all")
			eventually(t, "traffic through Envoy", envoy.serves)
			stop := steadyTraffic(t, envoy)

			c.write(t, "endpoints.yaml", broken)
			eventually(t, "the fault in the metrics", func() bool { return c.says("/metrics", "xdsready_config_errors 1") })
			eventually(t, "the fault on the status page", func() bool { return c.says("/?format=json", "endpoints.yaml:5") })
			if !strings.Contains(c.output(), "endpoints.yaml:5") {
				t.Error("the log does not name file and line")
			}
			never(t, "/readyz turns red", time.Second, func() bool { return !c.ready() })

			c.write(t, "endpoints.yaml", endpoints("backend", second))
			eventually(t, "the mended config", func() bool {
				_, body := get("http://" + envoy.admin + "/clusters")
				return strings.Contains(body, "backend::"+second)
			})
			eventually(t, "the fault to go", func() bool { return c.says("/metrics", "xdsready_config_errors 0") })
			requests, failed := stop()
			t.Logf("%s: %d requests, %d failed", transport, requests, failed)
			if failed > 0 || requests == 0 {
				t.Errorf("%d of %d requests failed", failed, requests)
			}
		})
	}
}

// SIGTERM ends the control plane with exit code 0, and the Envoy goes on
// serving what it has.
func TestSIGTERM(t *testing.T) {
	t.Parallel()
	c := startServe(t, whole(startBackend(t)))
	envoy := startEnvoy(t, bootstrap(t, "--xds-address", c.xds), "all")
	eventually(t, "traffic through Envoy", envoy.serves)
	stop := steadyTraffic(t, envoy)

	c.stop(t, syscall.SIGTERM)
	if c.err != nil {
		t.Errorf("xdsready ended with %v, want exit code 0", c.err)
	}
	never(t, "Envoy stops serving", time.Second, func() bool { return !envoy.serves() })
	if requests, failed := stop(); failed > 0 || requests == 0 {
		t.Errorf("%d of %d requests failed", failed, requests)
	}
}

// steadyTraffic sends one request after the other until stop is called, which
// returns how many were sent and how many failed.
func steadyTraffic(t *testing.T, envoy *proxy) (stop func() (requests, failed int64)) {
	t.Helper()
	url := "http://" + envoy.listener() + "/"
	var sent, failed atomic.Int64
	var running sync.WaitGroup
	ended := make(chan struct{})
	running.Go(func() {
		for {
			select {
			case <-ended:
				return
			default:
			}
			sent.Add(1)
			if code, body := get(url); code != 200 || !strings.HasPrefix(body, backendSays) {
				failed.Add(1)
			}
		}
	})
	var once sync.Once
	stop = func() (int64, int64) {
		once.Do(func() { close(ended) })
		running.Wait()
		return sent.Load(), failed.Load()
	}
	t.Cleanup(func() { stop() })
	return stop
}
