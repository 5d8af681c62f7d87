package dir

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// clusters returns a file with a cluster of each name, one a line from line 2.
// "name=2s" gives its cluster that timeout, which makes it another version.
func clusters(names ...string) string {
	text := header
	for _, name := range names {
		name, timeout, _ := strings.Cut(name, "=")
		text += fmt.Sprintf(`- {"@type": type.googleapis.com/envoy.config.cluster.v3.Cluster, name: %s, connect_timeout: %s}`+"\n",
			name, cmp.Or(timeout, "1s"))
	}
	return text
}

// writeFiles puts files into a directory, at once or in place of others, by
// rename. Names may have directories.
func writeFiles(t *testing.T, root string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path+".tmp", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".tmp", path); err != nil {
			t.Fatal(err)
		}
	}
}

// names returns the resources' names by group, as in "web api=2s".
func names(c Config) map[string]string {
	all := map[string]string{}
	for group, resources := range c.Groups {
		var list []string
		for _, r := range resources {
			name := r.Name()
			if strings.Contains(fmt.Sprint(r.Message()), "seconds:2") {
				name += "=2s"
			}
			list = append(list, name)
		}
		all[group] = strings.Join(list, " ")
	}
	return all
}

func TestLoadGroups(t *testing.T) {
	files := map[string]string{
		"a.yaml":            clusters("web", "api"),
		"b.json":            `{"resources": [{"@type": "a/envoy.config.route.v3.RouteConfiguration", "name": "table"}]}`,
		"edge/a.yaml":       clusters("api=2s", "edge"),
		"edge/deep/a.yaml":  clusters("deep"),
		"none/README.md":    "a group without files",
		".hidden/a.yaml":    clusters("hidden"),
		"edge/.hidden.yaml": clusters("hidden"),
	}
	for _, tt := range []struct {
		grouping Grouping
		want     map[string]string
		files    int
		defined  string
	}{
		{"", map[string]string{"all": "api web table"}, 2, "2 clusters"},
		{All, map[string]string{"all": "api web table"}, 2, "2 clusters"},
		{ByCluster, map[string]string{"edge": "api=2s edge web table", "none": "api web table"}, 3, "4 clusters"},
		{ByID, map[string]string{"edge": "api=2s edge web table", "none": "api web table"}, 3, "4 clusters"},
	} {
		t.Run(fmt.Sprintf("grouping %q", tt.grouping), func(t *testing.T) {
			root := t.TempDir()
			writeFiles(t, root, files)
			config, err := Load(root, tt.grouping)
			if err != nil {
				t.Fatalf("Load: %v", err)
			}
			if diff := gocmp.Diff(tt.want, names(config)); diff != "" {
				t.Errorf("groups (-want +got):\n%s", diff)
			}
			if config.Files != tt.files {
				t.Errorf("Files = %d, want %d", config.Files, tt.files)
			}
			if got := fmt.Sprintf("%d clusters", config.Defined[clusterType]); got != tt.defined {
				t.Errorf("Defined: %s, want %s", got, tt.defined)
			}
		})
	}
}

const clusterType = "type.googleapis.com/envoy.config.cluster.v3.Cluster"

func TestConfigPlace(t *testing.T) {
	root := t.TempDir()
	writeFiles(t, root, map[string]string{"a.yaml": clusters("web", "api"), "edge/b.yaml": clusters("api")})
	config, err := Load(root, ByID)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	for name, want := range map[string]string{"web": "a.yaml:2", "api": "edge/b.yaml:2", "other": ".:0"} {
		file, line := config.Place("edge", clusterType, name)
		if file == "" {
			file = root
		}
		relative, err := filepath.Rel(root, file)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%s:%d", relative, line); got != want {
			t.Errorf("Place of %s = %s, want %s", name, got, want)
		}
	}
}

func TestLoadOfNothingHasNoResources(t *testing.T) {
	for grouping, want := range map[Grouping]map[string]string{All: {"all": ""}, ByCluster: {}} {
		config, err := Load(t.TempDir(), grouping)
		if err != nil {
			t.Fatalf("Load: %v", err)
		}
		if diff := gocmp.Diff(want, names(config)); diff != "" {
			t.Errorf("grouping %s: groups (-want +got):\n%s", grouping, diff)
		}
	}
}

// loadErrors loads a directory with faults and returns them, with the
// directory's path left out.
func loadErrors(t *testing.T, root string, grouping Grouping) []string {
	t.Helper()
	config, err := Load(root, grouping)
	var errs Errors
	if !errors.As(err, &errs) {
		t.Fatalf("Load: error %v of type %T, want Errors", err, err)
	}
	if config.Groups != nil {
		t.Errorf("Load: %v beside faults, want nothing", names(config))
	}
	return lines(errs, root+"/")
}

// lines returns a line for each fault, without the prefix of the paths in it.
func lines(errs Errors, prefix string) []string {
	var list []string
	for _, err := range errs {
		list = append(list, strings.ReplaceAll(err.Error(), prefix, ""))
	}
	return list
}

func TestLoadNamesBothOfTwoDuplicates(t *testing.T) {
	root := t.TempDir()
	writeFiles(t, root, map[string]string{
		"b.yaml":      clusters("web", "api"),
		"a.yaml":      clusters("other", "web", "other"),
		"edge/c.yaml": clusters("web"), // another layer
	})
	want := []string{
		`a.yaml:4: cluster "other" is defined at a.yaml:2 too; rename or remove one`,
		`b.yaml:2: cluster "web" is defined at a.yaml:3 too; rename or remove one`,
	}
	if diff := gocmp.Diff(want, loadErrors(t, root, ByCluster)); diff != "" {
		t.Errorf("Load (-want +got):\n%s", diff)
	}
}

func TestLoadReportsTheFaultsOfAllFiles(t *testing.T) {
	root := t.TempDir()
	writeFiles(t, root, map[string]string{
		"a.yaml":      clusters("a") + "- x\n",
		"b.yaml":      clusters("b"),
		"edge/c.json": "{",
	})
	want := []string{
		`a.yaml:3: resource is not a mapping; give it an "@type" and fields`,
		`edge/c.json:1: not valid JSON: unexpected end of JSON input; correct the syntax`,
	}
	if diff := gocmp.Diff(want, loadErrors(t, root, ByCluster)); diff != "" {
		t.Errorf("Load (-want +got):\n%s", diff)
	}
}

// As one error, faults are one line, however many there are.
func TestErrorsAreOneLine(t *testing.T) {
	root := t.TempDir()
	for resources, want := range map[string]string{
		"- x\n":                     `/a.yaml:2: resource is not a mapping; give it an "@type" and fields`,
		strings.Repeat("- x\n", 30): `/a.yaml:2: resource is not a mapping; give it an "@type" and fields (and 29 more)`,
	} {
		writeFiles(t, root, map[string]string{"a.yaml": header + resources})
		if _, err := Load(root, All); err == nil || err.Error() != root+want {
			t.Errorf("Load: %v, want %s", err, root+want)
		}
	}
}

func TestParseGrouping(t *testing.T) {
	for _, name := range []string{"all", "cluster", "id"} {
		if g, err := ParseGrouping(name); err != nil || string(g) != name {
			t.Errorf("ParseGrouping(%q) = %q, %v", name, g, err)
		}
	}
	for _, name := range []string{"", "All", "zone"} {
		if g, err := ParseGrouping(name); err == nil {
			t.Errorf("ParseGrouping(%q) = %q, want an error", name, g)
		}
	}
}

// A file is parsed again exactly if its bytes are others.
func TestMemo(t *testing.T) {
	var m memo
	first := m.parse([]entry{{path: "a.yaml", data: []byte(clusters("a"))}, {path: "b.yaml", data: []byte(clusters("b"))}})
	second := m.parse([]entry{{path: "a.yaml", data: []byte(clusters("a"))}, {path: "b.yaml", data: []byte(clusters("b=2s"))}})
	if &first[0].resources[0] != &second[0].resources[0] {
		t.Error("an unchanged file was parsed again")
	}
	if first[1].resources[0].Equal(second[1].resources[0].Resource) {
		t.Error("a changed file was not parsed again")
	}
	m.parse(nil)
	if got := slices.Collect(maps.Keys(m.last)); len(got) > 0 {
		t.Errorf("files that are gone are kept: %v", got)
	}
}
