package validate

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/source/dir"
)

// Two files with a resource of which each refers to what is absent.
var dangling = map[string]string{
	"a.yaml": `resources:
- "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
  name: web
  type: EDS
  eds_cluster_config: {eds_config: {ads: {}}}
`,
	"b.json": `{"resources": [
  {"@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration", "name": "table", "virtual_hosts": [
    {"name": "h", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "api"}}]}]},
  {"@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster", "name": "tls", "transport_socket": {"name": "tls", "typed_config": {
    "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext", "common_tls_context": {
      "tls_certificate_sds_secret_configs": [{"name": "key", "sds_config": {"ads": {}}}]}}}}
]}`,
}

// check returns the report of a directory with these files, as text in which
// DIR is the directory.
func check(t *testing.T, files map[string]string, grouping dir.Grouping) (Report, string) {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r, err := Directory(root, grouping)
	if err != nil {
		t.Fatalf("Directory: %v", err)
	}
	var b strings.Builder
	if err := r.Write(&b, "text"); err != nil {
		t.Fatalf("Write: %v", err)
	}
	return r, strings.ReplaceAll(b.String(), root, "DIR")
}

func TestWarnings(t *testing.T) {
	inGroups := maps.Clone(dangling)
	inGroups["edge/none.yaml"] = "resources: []"
	inGroups["core/assignment.yaml"] = `resources: [{"@type": type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment, cluster_name: web}]`
	for _, tt := range []struct {
		name     string
		files    map[string]string
		grouping dir.Grouping
		want     string
	}{
		{"of one group", dangling, dir.All, `DIR/a.yaml:2: warning: cluster "web" refers to load assignment "web", which is absent: an empty one is served
DIR/b.json:2: warning: route table "table" refers to cluster "api", which is absent
DIR/b.json:4: warning: cluster "tls" is withheld: absent secrets ["key"]
DIR: valid: 2 files, 1 node group, 3 resources (2 clusters, 1 route table), 3 warnings
`},
		{"of several groups are told once", inGroups, dir.ByCluster, `DIR/a.yaml:2: warning: cluster "web" refers to load assignment "web", which is absent: an empty one is served (edge)
DIR/b.json:2: warning: route table "table" refers to cluster "api", which is absent
DIR/b.json:4: warning: cluster "tls" is withheld: absent secrets ["key"]
DIR: valid: 4 files, 2 node groups, 4 resources (2 clusters, 1 load assignment, 1 route table), 3 warnings
`},
		{"of a directory without groups", nil, dir.ByID, `DIR: warning: no subdirectory, so no node group: proxies of an unknown group are held, then refused
DIR: valid: 0 files, 0 node groups, 0 resources, 1 warning
`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, text := check(t, tt.files, tt.grouping)
			if diff := cmp.Diff(tt.want, text); diff != "" {
				t.Errorf("report (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFaults(t *testing.T) {
	files := map[string]string{"c.yaml": "resources: [x]\n", "d.yaml": ""}
	maps.Copy(files, dangling)
	r, text := check(t, files, dir.All)
	want := `DIR/c.yaml:1: resource is not a mapping; give it an "@type" and fields
DIR/d.yaml:1: file is empty; write "resources: []" if it is to hold none
DIR: not valid: 2 faults
`
	if diff := cmp.Diff(want, text); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	if r.Valid || len(r.Warnings) > 0 || r.Files > 0 {
		t.Errorf("report of faults: %+v", r)
	}
}

func TestJSON(t *testing.T) {
	r := Report{
		Path: "config", Valid: true, Files: 1, Groups: []string{"all"}, Resources: map[string]int{"cluster": 1},
		Faults:   []Finding{{File: "a", Line: 2, Message: "x < y"}},
		Warnings: []Finding{{File: "b", Groups: []string{"all"}, Message: "z"}},
	}
	var b strings.Builder
	if err := r.Write(&b, "json"); err != nil {
		t.Fatalf("Write: %v", err)
	}
	want := `{"path":"config","valid":true,"files":1,"groups":["all"],"resources":{"cluster":1},` +
		`"faults":[{"file":"a","line":2,"message":"x < y"}],"warnings":[{"file":"b","groups":["all"],"message":"z"}]}`
	got := strings.NewReplacer("\n", "", "  ", "", `": `, `":`).Replace(b.String())
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}
}

func TestUnknownFormat(t *testing.T) {
	var b strings.Builder
	if err := (&Report{}).Write(&b, "yaml"); err == nil || b.Len() > 0 {
		t.Errorf("Write: %v, wrote %q", err, b.String())
	}
}

func TestDirectoryThatIsMissing(t *testing.T) {
	if _, err := Directory(filepath.Join(t.TempDir(), "missing"), dir.All); err == nil {
		t.Error("no error")
	}
}
