package envoy

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// transports are the two variants of the xDS protocol.
var transports = []string{"delta", "sotw"}

// client asks Envoys; without keep-alive, so that each request is a new
// connection to whatever listener is there now.
var client = &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// proxy is a running Envoy.
type proxy struct {
	*process
	admin string // host:port
}

// bootstrap returns what `xdsready bootstrap` prints for these flags, with
// Envoy's admin on any free port.
func bootstrap(t *testing.T, flags ...string) string {
	t.Helper()
	flags = append([]string{"bootstrap", "--admin-address", "127.0.0.1:0"}, flags...)
	out, err := exec.Command(commandPath, flags...).Output()
	if err != nil {
		t.Fatalf("xdsready %s: %v", strings.Join(flags, " "), err)
	}
	return string(out)
}

// startEnvoy runs an Envoy whose node cluster is group, with more flags of its own.
func startEnvoy(t *testing.T, bootstrap, group string, flags ...string) *proxy {
	t.Helper()
	dir := t.TempDir()
	config, address := filepath.Join(dir, "bootstrap.yaml"), filepath.Join(dir, "admin")
	if err := os.WriteFile(config, []byte(bootstrap), 0o600); err != nil {
		t.Fatal(err)
	}
	flags = append([]string{"--config-path", config, "--admin-address-path", address,
		"--use-dynamic-base-id", "--concurrency", "1", "--log-level", "warning",
		"--service-node", "envoy-of-" + group, "--service-cluster", group}, flags...)
	p := &proxy{process: start(t, "envoy", envoyPath, flags...)}
	eventually(t, "Envoy's admin address", func() bool {
		select {
		case <-p.ended:
			t.Fatalf("Envoy has ended: %v\n%s", p.err, p.tail())
		default:
		}
		text, _ := os.ReadFile(address)
		p.admin = string(text)
		return p.admin != ""
	})
	return p
}

// get asks a URL and returns the status code and body; 0 if nobody answers.
func get(from string) (code int, body string) {
	response, err := client.Get(from)
	if err != nil {
		return 0, ""
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, ""
	}
	return response.StatusCode, string(text)
}

// ready reports whether Envoy's own /ready answers 200.
func (p *proxy) ready() bool {
	code, _ := get("http://" + p.admin + "/ready")
	return code == http.StatusOK
}

// stat returns one of Envoy's counters or gauges as text; empty if it has none
// of that name.
func (p *proxy) stat(name string) string {
	_, body := get("http://" + p.admin + "/stats?filter=" + url.QueryEscape("^"+regexp.QuoteMeta(name)+"$"))
	_, value, _ := strings.Cut(strings.TrimSpace(body), ": ")
	return value
}

// listener returns the address of the listener "http", which took any free
// port; empty while there is none.
func (p *proxy) listener() string {
	_, body := get("http://" + p.admin + "/listeners?format=json")
	var listeners struct {
		Statuses []struct {
			Name    string `json:"name"`
			Address struct {
				Socket struct {
					Address string `json:"address"`
					Port    int    `json:"port_value"`
				} `json:"socket_address"`
			} `json:"local_address"`
		} `json:"listener_statuses"`
	}
	if json.Unmarshal([]byte(body), &listeners) != nil {
		return ""
	}
	for _, l := range listeners.Statuses {
		if l.Name == "http" {
			return fmt.Sprintf("%s:%d", l.Address.Socket.Address, l.Address.Socket.Port)
		}
	}
	return ""
}

// serves reports whether a request through the listener "http" reaches the
// backend.
func (p *proxy) serves() bool {
	code, body := p.request()
	return code == http.StatusOK && strings.HasPrefix(body, backendSays)
}

// request sends one request through the listener "http".
func (p *proxy) request() (code int, body string) {
	address := p.listener()
	if address == "" {
		return 0, ""
	}
	return get("http://" + address + "/")
}
