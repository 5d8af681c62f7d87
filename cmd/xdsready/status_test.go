package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/statuspage"
	"github.com/xdsready/xdsready/pkg/ready"
)

func TestStatusExitCodes(t *testing.T) {
	page := func(isReady bool, phase ready.Phase) string {
		server := httptest.NewServer(statuspage.Handler(func() statuspage.Page {
			return statuspage.Page{Status: ready.Status{Ready: isReady, Phase: phase}}
		}))
		t.Cleanup(server.Close)
		return server.URL
	}
	stranger := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(stranger.Close)
	for _, test := range []struct {
		name           string
		args           []string
		code           int
		stdout, stderr string // how it begins; empty if there is nothing
	}{
		{"ready", []string{"--http-address", page(true, ready.Ready)}, 0, "ready. ", ""},
		{"not ready", []string{"--http-address", page(false, ready.Draining)}, 1, "not ready: draining. ", ""},
		{"as JSON", []string{"--output", "json", "--http-address", page(true, ready.Ready)}, 0, "{\n", ""},
		{"nobody to ask", []string{"--http-address", stranger.URL}, 2, "", "xdsready: http://127.0.0.1:"},
		{"an unknown format", []string{"--output", "xml"}, 2, "", "xdsready: --output: unknown format"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := runCommand(t, nil, append([]string{"status"}, test.args...)...)
			if got.Code != test.code {
				t.Errorf("exit code %d, want %d", got.Code, test.code)
			}
			for stream, pair := range map[string][2]string{"stdout": {got.Stdout, test.stdout}, "stderr": {got.Stderr, test.stderr}} {
				if !strings.HasPrefix(pair[0], pair[1]) || (pair[0] == "") != (pair[1] == "") {
					t.Errorf("%s: %q, want %q", stream, pair[0], pair[1])
				}
			}
			if strings.Contains(got.Stdout, "\x1b") {
				t.Error("colours in a pipe")
			}
		})
	}
}
