package envoy

import (
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A replica that drains sends its Envoy to another one: the stream ends with a
// reason, its connection with it, and nothing is sent again.
func TestDrainMovesTheProxy(t *testing.T) {
	for _, transport := range transports {
		for way, drain := range map[string]func(*testing.T, *command){
			"SIGTERM": func(t *testing.T, c *command) {
				t.Helper()
				if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
					t.Fatal(err)
				}
			},
			"xdsready drain": func(t *testing.T, c *command) {
				t.Helper()
				out, err := exec.Command(commandPath, "drain", "--admin-address", c.admin).CombinedOutput()
				if want := "draining: 1 streams of proxies left\n"; err != nil || !strings.HasPrefix(string(out), want) || !strings.HasSuffix(string(out), "drained\n") {
					t.Errorf("xdsready drain: %v, %q, want %q and at the end drained", err, out, want)
				}
			},
		} {
			t.Run(transport+"/"+way, func(t *testing.T) {
				t.Parallel()
				files := whole(startBackend(t))
				leaving := startServe(t, files, "--drain-delay", "1s", "--drain-window", "1s")
				staying := startServe(t, files)
				address := startBalancer(t, leaving.xds, staying.xds, leaving.xds) // the second try may meet it too
				envoy := startEnvoy(t, bootstrap(t, "--xds-address", address.address, "--transport", transport), "all")
				eventually(t, "traffic through Envoy", envoy.serves)
				updates := envoy.updates()

				began := time.Now()
				drain(t, leaving)
				<-leaving.ended
				t.Logf("the replica ended %v after it was told", time.Since(began).Round(time.Millisecond))
				if leaving.err != nil {
					t.Errorf("the replica ended with %v, want exit code 0", leaving.err)
				}
				if took := time.Since(began); took < time.Second {
					t.Errorf("it ended after %v, before its drain delay", took)
				}
				eventually(t, "the Envoy at the replica that stays", func() bool {
					return staying.says("/metrics", `xdsready_streams{state="converged"} 1`)
				})
				if diff := cmp.Diff(updates, envoy.updates()); diff != "" {
					t.Errorf("Envoy counts updates of what it had (-before +after):\n%s", diff)
				}
				staying.wantNothingSent(t)
			})
		}
	}
}

// What a signal does: the first SIGTERM drains, a second ends the process at once,
// SIGINT does always.
func TestSignals(t *testing.T) {
	for name, tc := range map[string]struct {
		signals []syscall.Signal
		code    int
	}{
		"SIGINT":              {[]syscall.Signal{syscall.SIGINT}, 130},
		"SIGTERM and SIGINT":  {[]syscall.Signal{syscall.SIGTERM, syscall.SIGINT}, 130},
		"SIGTERM and SIGTERM": {[]syscall.Signal{syscall.SIGTERM, syscall.SIGTERM}, 143},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := startServe(t, whole("127.0.0.1:1"), "--drain-delay", "1h")
			eventually(t, "readiness", c.ready)
			for i, signal := range tc.signals {
				if err := c.cmd.Process.Signal(signal); err != nil {
					t.Fatal(err)
				}
				if i < len(tc.signals)-1 {
					eventually(t, "red", func() bool {
						code, _ := get("http://" + c.http + "/readyz")
						return code == http.StatusServiceUnavailable
					})
				}
			}
			select {
			case <-c.ended:
			case <-time.After(patience):
				t.Fatal("it goes on")
			}
			if got := c.cmd.ProcessState.ExitCode(); got != tc.code {
				t.Errorf("exit code %d, want %d", got, tc.code)
			}
		})
	}
}
