package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestBootstrapCommand(t *testing.T) {
	dir := t.TempDir()
	for _, test := range []struct {
		name string
		env  []string
		args []string
		code int
		want []string // on stdout, or on stderr with code 2
	}{
		{"suits serve without flags", nil, nil, 0, []string{"api_type: DELTA_GRPC", "port_value: 18000", "port_value: 9901", "# "}},
		{"several addresses", nil, []string{"--xds-address", "10.0.0.1:1,10.0.0.2:2", "--xds-address", "10.0.0.3:3"}, 0,
			[]string{"port_value: 1\n", "port_value: 2\n", "port_value: 3\n"}},
		{"an address from the environment", []string{"XDSREADY_XDS_ADDRESS=10.0.0.1:1"}, nil, 0, []string{"address: 10.0.0.1\n"}},
		{"JSON", nil, []string{"--output", "json", "--transport", "sotw"}, 0, []string{`"api_type": "GRPC"`}},
		{"files to follow", nil, []string{"--tls-ca", "ca.crt", "--sds-dir", dir}, 0, []string{"path: " + dir + "/xdsready-ca.json"}},
		{"a bad flag", nil, []string{"--transport", "rest"}, 2, []string{"xdsready: --transport: unknown transport"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := runCommand(t, test.env, append([]string{"bootstrap"}, test.args...)...)
			text := got.Stdout
			if test.code != 0 {
				text = got.Stderr
			}
			missing := slices.DeleteFunc(slices.Clone(test.want), func(want string) bool { return strings.Contains(text, want) })
			if got.Code != test.code || len(missing) > 0 {
				t.Errorf("exit code %d, want %d; without %q:\n%s", got.Code, test.code, missing, text)
			}
		})
	}
	if text, err := os.ReadFile(filepath.Join(dir, "xdsready-ca.json")); err != nil || !strings.Contains(string(text), `"filename": "ca.crt"`) {
		t.Errorf("the file to follow: %v\n%s", err, text)
	}
}
