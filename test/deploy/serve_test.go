package deploy

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/xdsready/xdsready/test/loopback"
	"github.com/xdsready/xdsready/test/process"
)

// kubeconfig names an API server that is not there.
const kubeconfig = `apiVersion: v1
kind: Config
clusters: [{name: a, cluster: {server: "http://%s"}}]
contexts: [{name: a, context: {cluster: a}}]
current-context: a
`

// token has the form of a ServiceAccount's, with the claim "sub".
var token = "e30." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub": "system:serviceaccount:xdsready-system:xdsready"}`)) + ".e30"

// The command takes the arguments of the chart, with files where the pod has
// them. Without an API server it starts, so that the startup probe does not kill
// it, stays red, and ends when it is asked to.
func TestCommandTakesTheArguments(t *testing.T) {
	for _, v := range valueSets {
		if v.chart != "chart" {
			continue
		}
		t.Run(v.set, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			made := decode(t, render(t, "chart", "default"))
			for _, mount := range []string{"tls", "client-ca"} {
				writePEM(t, made, filepath.Join(dir, mount))
			}
			write(t, filepath.Join(dir, "peer", "token"), token)
			cluster := filepath.Join(dir, "kubeconfig")
			if err := os.WriteFile(cluster, fmt.Appendf(nil, kubeconfig, loopback.Address(t)), 0o600); err != nil {
				t.Fatal(err)
			}
			address := loopback.Address(t)
			here := strings.NewReplacer("/etc/xdsready", dir, "--xds-address=:18000", "--xds-address=:0", "--http-address=:8080", "--http-address="+address)
			var args []string
			for _, arg := range container(t, decode(t, render(t, v.chart, v.set))).Args {
				args = append(args, here.Replace(arg))
			}
			command := process.Start(t, commandPath, append(args, "--admin-address=", "--drain-delay=0s", "--kubeconfig="+cluster)...)
			command.Until(t, "http://"+address+"/startupz", "green", func(code int, _ string) bool { return code == http.StatusOK })
			command.Until(t, "http://"+address+"/readyz?verbose", "red for lack of an API server", func(code int, body string) bool {
				return code == http.StatusServiceUnavailable && strings.Contains(body, "connection refused")
			})
			command.Terminate(t)
			command.WantExit(t)
		})
	}
}
