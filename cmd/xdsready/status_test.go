package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/spf13/pflag"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/statusclient"
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
		{"no proxies asked for", []string{"--http-address", page(true, ready.Ready), "--admin-address", ""}, 0, "ready. ", ""},
		{"no admin address to ask", []string{"--http-address", page(true, ready.Ready), "--admin-address", "127.0.0.1:1"}, 2, "", "xdsready: --admin-address: asking 127.0.0.1:1"},
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

func TestChooseAdmin(t *testing.T) {
	const standard = "standard:1"
	for _, test := range []struct {
		name string
		args []string
		env  map[string]string
		want statusclient.Options
	}{
		{"nothing given", nil, nil, statusclient.Options{Address: "http:1", AdminAddress: standard, AdminOptional: true}},
		{"another HTTP address", []string{"--http-address=a:1"}, nil, statusclient.Options{Address: "a:1", AdminOptional: true}},
		{"another HTTP address from the environment", nil, map[string]string{"XDSREADY_HTTP_ADDRESS": "a:1"},
			statusclient.Options{Address: "a:1", AdminOptional: true}},
		{"both", []string{"--http-address=a:1", "--admin-address=a:2"}, nil, statusclient.Options{Address: "a:1", AdminAddress: "a:2"}},
		{"the admin address alone", []string{"--admin-address=a:2"}, nil, statusclient.Options{Address: "http:1", AdminAddress: "a:2"}},
		{"none", []string{"--admin-address="}, nil, statusclient.Options{Address: "http:1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got statusclient.Options
			flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
			flags.StringVar(&got.Address, "http-address", "http:1", "")
			flags.StringVar(&got.AdminAddress, "admin-address", standard, "")
			if err := flags.Parse(test.args); err != nil {
				t.Fatal(err)
			}
			lookup := func(name string) (string, bool) { value, ok := test.env[name]; return value, ok }
			if err := setFromEnvironment(flags, lookup); err != nil {
				t.Fatal(err)
			}
			chooseAdmin(flags, &got)
			if diff := cmp.Diff(test.want, got, cmpopts.IgnoreUnexported(statusclient.Options{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
