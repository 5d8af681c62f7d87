package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const goodCluster = `resources:
- "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
  name: web
`

func TestValidate(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		args  []string // after the directory
		env   []string
		want  result // DIR is the directory
	}{
		{
			name:  "a good directory",
			files: map[string]string{"a.yaml": goodCluster},
			want:  result{0, "DIR: valid: 1 file, 1 node group, 1 resource (1 cluster), 0 warnings\n", ""},
		},
		{
			name: "an empty directory is an answer",
			want: result{0, "DIR: valid: 0 files, 1 node group, 0 resources, 0 warnings\n", ""},
		},
		{
			name:  "faults, each with file and line",
			files: map[string]string{"a.yaml": goodCluster + "  typ: EDS\n", "b.yaml": "- a\n"},
			want: result{exitFault, `DIR/a.yaml:4: unknown field "typ"; correct its name or remove it
DIR/b.yaml:1: not a DiscoveryResponse: a mapping is expected; put the resources into a list under "resources:"
DIR: not valid: 2 faults
`, ""},
		},
		{
			name:  "a private key in a faulty secret is not printed",
			files: map[string]string{"a.yaml": "resources:\n- \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret\n  name: s\n  generic_secret: {secret: MIIEvQIBADANBgkqhkiG9w0}\n"},
			want: result{exitFault, `DIR/a.yaml:4: value is of another kind (mapping, list or scalar) than the field; correct it
DIR: not valid: 1 fault
`, ""},
		},
		{
			name:  "the grouping of serve",
			files: map[string]string{"edge/a.yaml": goodCluster, "core/a.yaml": goodCluster},
			args:  []string{"--node-group", "cluster"},
			want:  result{0, "DIR: valid: 2 files, 2 node groups, 2 resources (2 clusters), 0 warnings\n", ""},
		},
		{
			name: "JSON, asked for by the environment",
			env:  []string{"XDSREADY_OUTPUT=json"},
			want: result{0, `{
  "path": "DIR",
  "valid": true,
  "files": 0,
  "groups": [
    "all"
  ],
  "resources": {},
  "faults": [],
  "warnings": []
}
`, ""},
		},
		{
			name: "an unknown format",
			args: []string{"--output=yaml"},
			want: result{exitUsage, "", "xdsready: --output: unknown format \"yaml\": use text or json\n"},
		},
		{
			name: "an unknown grouping",
			args: []string{"--node-group=zone"},
			want: result{exitUsage, "", "xdsready: --node-group: unknown grouping \"zone\": use all, cluster or id\n"},
		},
		{
			name: "two directories",
			args: []string{"other"},
			want: result{exitUsage, "", "xdsready: 2 arguments instead of one: name the directory, as in xdsready validate PATH\n"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			for name, text := range tt.files {
				path := filepath.Join(root, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got := runCommand(t, tt.env, append([]string{"validate", root}, tt.args...)...)
			got.Stdout = strings.ReplaceAll(got.Stdout, root, "DIR")
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("xdsready validate (-want +got):\n%s", diff)
			}
		})
	}
}

func TestValidateOfNoDirectory(t *testing.T) {
	want := result{exitUsage, "", "xdsready: /nonexistent: no such file or directory; name a directory that can be read\n"}
	if diff := cmp.Diff(want, runCommand(t, nil, "validate", "/nonexistent")); diff != "" {
		t.Errorf("xdsready validate (-want +got):\n%s", diff)
	}
}

func TestValidateHelp(t *testing.T) {
	got := runCommand(t, nil, "validate", "--help")
	for _, want := range []string{"xdsready validate examples/quickstart/config", "Exit codes: 0 the directory would be served, 1 it has faults, 2"} {
		if !strings.Contains(got.Stdout, want) {
			t.Errorf("help does not say %q:\n%s", want, got.Stdout)
		}
	}
}

// The shell is asked to complete directories, once, and the values of flags.
func TestValidateCompletion(t *testing.T) {
	const noFiles, directories = ":4\n", ":16\n"
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{""}, directories},
		{[]string{"config", ""}, noFiles},
		{[]string{"--output", ""}, "text\njson\n" + noFiles},
		{[]string{"--node-group", ""}, "all\ncluster\nid\n" + noFiles},
	} {
		got := runCommand(t, nil, append([]string{"__complete", "validate"}, tt.args...)...)
		if got.Stdout != tt.want {
			t.Errorf("completion after %q: %q, want %q", tt.args, got.Stdout, tt.want)
		}
	}
}
