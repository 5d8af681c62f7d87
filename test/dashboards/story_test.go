package dashboards

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/xdsready/xdsready/test/apiserver"
	"github.com/xdsready/xdsready/test/loopback"
	"github.com/xdsready/xdsready/test/process"
)

// The replicas, by the names that the dashboard shows: two that serve a
// directory, and one that reads a Kubernetes API which forbids it something.
const first, second, forbidden = "replica-1", "replica-2", "replica-k8s"

// tellStory lets the replicas and an Envoy live through all that the dashboard
// shows, and returns the Prometheus that watched, and when. Each step waits
// until Prometheus has seen it.
func tellStory(t *testing.T) (*prometheus, span) {
	t.Helper()
	envoy, prometheusPath := program(t, "envoy", "ENVOY"), program(t, "prometheus", "PROMETHEUS")
	command := buildCommand(t)
	replicas, targets := map[string]*replica{}, map[string]string{}
	for _, name := range []string{first, second, forbidden} {
		replicas[name] = &replica{command: command, xds: loopback.Address(t), http: loopback.Address(t)}
		targets[name] = replicas[name].http
	}
	seen := startPrometheus(t, prometheusPath, targets)
	seen.await(t, `count(up) == 3`)
	began := time.Now()

	// A start with a slow tier: the file is faulty, so no snapshot can be built.
	directory := newDirectory(t)
	directory.spoil(t)
	replicas[first].start(t, "dir:"+directory.path)
	startEnvoy(t, envoy, command, replicas[first].xds, replicas[second].xds)
	seen.await(t, `xdsready_streams_refused_total{reason="gate_shut"} > 2 and on (instance) xdsready_start_deadline_exceeded == 1`)
	directory.point(t, 8001)
	seen.await(t, `xdsready_ready == 1 and on (instance) xdsready_streams{state="converged"} == 1`)

	// A start that cannot succeed: a resource may not be listed.
	api := apiserver.New(t)
	api.Refuse("endpointslices")
	replicas[forbidden].start(t, "kubernetes", "--kubeconfig", api.Kubeconfig(), "--optional-crds", "gatewayclasses,gateways,httproutes,referencegrants")
	seen.await(t, `increase(xdsready_watch_errors_total{resource="endpointslices"}[5s]) > 0`)

	// A change that proxies reject, because the port is taken, and its repair.
	directory.listen(t, seen.port)
	seen.await(t, `xdsready_nacks_total{type="listener"} > 0 and on (instance) xdsready_oldest_unconverged_seconds > 1`)
	directory.listen(t, anyPort)
	seen.await(t, `xdsready_convergence_seconds_count > 0`)
	directory.point(t, 8002)
	seen.await(t, `xdsready_removals_pending > 0`)

	// A change that is faulty.
	directory.spoil(t)
	seen.await(t, `xdsready_config_errors == 1 and on (instance) xdsready_source_stale_seconds{source="directory"} > 1`)
	directory.point(t, 8003)
	seen.await(t, fmt.Sprintf(`xdsready_config_errors{instance=%q} == 0`, first))

	// The hand-over of a rolling restart.
	replicas[second].start(t, "dir:"+directory.path)
	seen.await(t, fmt.Sprintf(`xdsready_ready{instance=%q} == 1`, second))
	replicas[first].Terminate(t)
	seen.await(t, fmt.Sprintf(`xdsready_phase{instance=%q, phase="draining"} == 1`, first))
	replicas[first].WantExit(t)
	seen.await(t, fmt.Sprintf(`count_over_time((xdsready_streams{instance=%q, state="converged"} == 1)[1s:250ms]) > 2`, second))
	return seen, span{seconds(began), seconds(time.Now())}
}

// replica is one `xdsready serve`.
type replica struct {
	*process.Process
	command   string
	xds, http string // host:port
}

func (r *replica) start(t *testing.T, source string, flags ...string) {
	t.Helper()
	flags = append([]string{
		"serve", "--source", source, "--xds-address", r.xds, "--http-address", r.http, "--admin-address", "",
		"--start-deadline", "2s", "--removal-delay", "2s", "--drain-delay", "1s",
	}, flags...)
	r.Process = process.Start(t, r.command, flags...)
}

// startEnvoy runs an Envoy that knows the replicas' addresses.
func startEnvoy(t *testing.T, path, command string, addresses ...string) {
	t.Helper()
	flags := []string{"bootstrap", "--admin-address", "127.0.0.1:0"}
	for _, address := range addresses {
		flags = append(flags, "--xds-address", address)
	}
	bootstrap, err := exec.CommandContext(t.Context(), command, flags...).Output()
	if err != nil {
		t.Fatalf("xdsready bootstrap: %v", err)
	}
	process.Start(t, path, "--config-yaml", string(bootstrap), "--use-dynamic-base-id", "--concurrency", "1",
		"--log-level", "warning", "--service-node", "proxy", "--service-cluster", "edge")
}

// directory is the config directory that the replicas serve.
type directory struct{ path string }

func newDirectory(t *testing.T) directory {
	t.Helper()
	d := directory{t.TempDir()}
	config, err := os.ReadFile(filepath.Join("testdata", "config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	d.write(t, "config.yaml", string(config))
	return d
}

// point makes a port of the loopback address the cluster's only endpoint, and
// replaces a cluster that nothing refers to.
func (d directory) point(t *testing.T, port int) {
	t.Helper()
	d.write(t, "endpoints.yaml", fmt.Sprintf(`resources:
- "@type": type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment
  cluster_name: backend
  endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: %d}}}}]}]
- "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
  name: spare-%[1]d
  type: STATIC
`, port))
}

// anyPort lets Envoy choose one that is free.
const anyPort = "0"

// listen adds a listener on a port of the loopback address, or moves it there.
func (d directory) listen(t *testing.T, port string) {
	t.Helper()
	d.write(t, "listener.yaml", fmt.Sprintf(`resources:
- "@type": type.googleapis.com/envoy.config.listener.v3.Listener
  name: tcp
  address: {socket_address: {address: 127.0.0.1, port_value: %s}}
  filter_chains:
  - filters:
    - name: envoy.filters.network.tcp_proxy
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
        stat_prefix: tcp
        cluster: backend
`, port))
}

// spoil makes the endpoints a file that cannot be parsed.
func (d directory) spoil(t *testing.T) {
	t.Helper()
	d.write(t, "endpoints.yaml", "resources: [\n")
}

// write puts a file into the directory in one step.
func (d directory) write(t *testing.T, name, text string) {
	t.Helper()
	whole, path := filepath.Join(t.TempDir(), name), filepath.Join(d.path, name)
	if err := os.WriteFile(whole, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(whole, path); err != nil {
		t.Fatal(err)
	}
}
