package deploy

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/xdsready/xdsready/test/loopback"
	"github.com/xdsready/xdsready/test/process"
)

// A real Envoy takes the arguments and the bootstrap of the chart, with files
// where the pod has them.
func TestEnvoyTakesTheBootstrap(t *testing.T) {
	needsEnvoy(t)
	made := decode(t, render(t, "chart", "default"))
	for _, v := range valueSets {
		if v.chart != "proxy-chart" {
			continue
		}
		t.Run(v.set, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for _, mount := range []string{"ca", "identity"} {
				writePEM(t, made, filepath.Join(dir, mount))
			}
			write(t, filepath.Join(dir, "identity", "token"), "token")
			manifests := strings.ReplaceAll(render(t, v.chart, v.set), "/etc/xdsready", dir)
			objects := decode(t, manifests)
			for _, object := range objects {
				if files, ok := object.(*corev1.ConfigMap); ok && strings.HasSuffix(files.Name, "-bootstrap") {
					for name, text := range files.Data {
						write(t, filepath.Join(dir, "bootstrap", name), text)
					}
				}
			}
			cmd := exec.CommandContext(t.Context(), envoyPath, append(container(t, objects).Args, "--mode", "validate")...)
			if out, err := cmd.CombinedOutput(); err != nil || strings.Contains(string(out), "deprecated") {
				t.Errorf("%s: %v\n%s", cmd, err, out)
			}
		})
	}
}

// answers is an Envoy that answers by itself, at two addresses of this machine.
const answers = `
admin: {address: {socket_address: {address: 127.0.0.1, port_value: ADMIN}}}
static_resources:
  listeners:
  - address: {socket_address: {address: 127.0.0.1, port_value: LISTENER}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: a
          route_config: {virtual_hosts: [{name: a, domains: ["*"], routes: [{match: {prefix: /}, direct_response: {status: 200}}]}]}
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
`

// After the preStop hook has begun, an Envoy asks each client to leave, and serves
// those that do not, for the seconds that the hook takes.
func TestPreStopDrains(t *testing.T) {
	needsEnvoy(t)
	pod := container(t, decode(t, render(t, "proxy-chart", "default", "--set", "drain.seconds=1")))
	admin, listener := loopback.Address(t), loopback.Address(t)
	port := func(address string) string { return address[strings.LastIndex(address, ":")+1:] }
	config := filepath.Join(t.TempDir(), "bootstrap.yaml")
	write(t, config, strings.NewReplacer("ADMIN", port(admin), "LISTENER", port(listener)).Replace(answers))
	args := strings.Split(strings.ReplaceAll(strings.Join(pod.Args, "\n"), "/etc/xdsready/bootstrap/bootstrap.yaml", config), "\n")

	envoy := process.Start(t, envoyPath, args...)
	envoy.Until(t, "http://"+admin+"/ready", "green", func(code int, _ string) bool { return code == http.StatusOK })
	if asksToLeave(t, listener) {
		t.Fatal("clients are asked to leave before the hook")
	}
	hook := pod.Lifecycle.PreStop.Exec.Command
	hook[2] = strings.ReplaceAll(hook[2], "/9901", "/"+port(admin))
	if out, err := exec.CommandContext(t.Context(), hook[0], hook[1:]...).CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("the hook: %v\n%s", err, out)
	}
	if !asksToLeave(t, listener) {
		t.Error("clients are not asked to leave")
	}
}

// asksToLeave reports whether a client that would keep its connection is told
// that it will be closed.
func asksToLeave(t *testing.T, address string) bool {
	t.Helper()
	client := &http.Client{Timeout: process.Limit, Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	response, err := client.Get("http://" + address)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%s answers %s", address, response.Status)
	}
	return response.Close
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
