package examples

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/xdsready/xdsready/test/loopback"
	"github.com/xdsready/xdsready/test/process"
)

// program is a running example.
type program struct {
	*process.Process
	xds    string // address for proxies
	probes string // URL of the /readyz that the kubelet asks
	reason string // URL of the /readyz that says why
}

// start starts one form of an example.
func start(t *testing.T, form, name string, arguments ...string) *program {
	t.Helper()
	xds, probes := loopback.Address(t), loopback.Address(t)
	reason := probes
	arguments = append(arguments, "-xds-address", xds, "-http-address", probes)
	if name == "embed-controller-runtime" {
		reason = loopback.Address(t)
		arguments = append(arguments, "-metrics-address", reason)
	}
	return &program{
		Process: process.Start(t, filepath.Join(binaries, form, name), arguments...),
		xds:     xds, probes: "http://" + probes + "/readyz", reason: "http://" + reason + "/readyz",
	}
}

// untilGreen asks the kubelet's question until it is answered with 200.
func (p *program) untilGreen(t *testing.T) {
	t.Helper()
	p.Until(t, p.probes, "green", func(code int, _ string) bool { return code == http.StatusOK })
}

// untilRed waits until the kubelet is told to keep proxies away, with a reason
// elsewhere, maybe, that has all the words.
func (p *program) untilRed(t *testing.T, words ...string) {
	t.Helper()
	p.Until(t, p.probes, "red", func(code int, _ string) bool { return code != http.StatusOK })
	p.Until(t, p.reason, "red with "+strings.Join(words, ", "), func(code int, body string) bool {
		for _, word := range words {
			if !strings.Contains(body, word) {
				return false
			}
		}
		return code == http.StatusServiceUnavailable
	})
}
