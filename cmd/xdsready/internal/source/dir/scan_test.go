package dir

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

func TestScanReadsConfigFilesAlone(t *testing.T) {
	root := t.TempDir()
	writeFiles(t, root, map[string]string{"a.yaml": "", "b.yml": "", "c.json": "", "with space.yaml": "", "x/in-a-directory.yaml": ""})
	for _, name := range []string{
		"a.yaml~", ".#a.yaml", "#a.yaml#", ".a.yaml.swp", ".a.yaml.swx", "4913", "a.yaml.tmp", "a.yaml.bak", "a.yaml.orig",
		".hidden.yaml", "..yaml", ".yaml", "README.md", "a.YAML", "yaml", "a.yaml.gz", "___jb_tmp___", ".goutputstream-X1",
	} {
		if err := os.WriteFile(filepath.Join(root, name), []byte("- not: [config"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := scan(root, All)
	if err != nil {
		t.Fatalf("scan: %v", err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, filepath.Base(e.path))
	}
	if diff := gocmp.Diff([]string{"a.yaml", "b.yml", "c.json", "with space.yaml"}, got); diff != "" {
		t.Errorf("files read (-want +got):\n%s", diff)
	}
}

func TestLoadRefusesWhatIsNoReadableFile(t *testing.T) {
	for _, tt := range []struct {
		name string
		make func(path string) error
		want string
	}{
		{"a link to nothing", func(path string) error { return os.Symlink("nothing", path) }, "no such file or directory"},
		{"a link to itself", func(path string) error { return os.Symlink(path, path) }, "too many levels of symbolic links"},
		{"a named pipe, without waiting for a writer", func(path string) error { return syscall.Mkfifo(path, 0o600) }, "not a regular file"},
		{"a directory, as a bind mount of a missing file makes", func(path string) error { return os.Mkdir(path, 0o700) }, "a directory in place of a file"},
		{"a device", func(path string) error { return os.Symlink("/dev/zero", path) }, "not a regular file"},
		{"a file that may not be read", func(path string) error { return os.WriteFile(path, nil, 0) }, "permission denied"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if os.Getuid() == 0 && tt.want == "permission denied" {
				t.Skip("root may read everything")
			}
			root := t.TempDir()
			if err := tt.make(filepath.Join(root, "x.yaml")); err != nil {
				t.Fatal(err)
			}
			want := []string{"x.yaml: " + tt.want + "; make it readable or remove it"}
			if diff := gocmp.Diff(want, loadErrors(t, root, All)); diff != "" {
				t.Errorf("Load (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoadRefusesAHugeFile(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, "x.yaml")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 1<<40); err != nil { // sparse: it takes no room
		t.Fatal(err)
	}
	want := []string{"x.yaml:1: file is larger than 16 MiB; split it"}
	if diff := gocmp.Diff(want, loadErrors(t, root, All)); diff != "" {
		t.Errorf("Load (-want +got):\n%s", diff)
	}
}

func TestLoadFollowsSymbolicLinks(t *testing.T) {
	root := t.TempDir()
	writeFiles(t, root, map[string]string{"..1/a.yaml": clusters("web"), "..1/edge/b.yaml": clusters("edge")})
	for link, target := range map[string]string{"..data": "..1", "a.yaml": "..data/a.yaml", "edge": "..data/edge"} {
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	config, err := Load(root, ByCluster)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	if diff := gocmp.Diff(map[string]string{"edge": "edge web"}, names(config)); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
}

// A directory that cannot be read is no fault of its files: Error, not Errors.
func TestLoadOfNoDirectory(t *testing.T) {
	root := t.TempDir()
	writeFiles(t, root, map[string]string{"file": ""})
	for path, want := range map[string]string{
		filepath.Join(root, "missing"): "no such file or directory",
		filepath.Join(root, "file"):    "not a directory",
	} {
		_, err := Load(path, All)
		if _, ok := errors.AsType[Error](err); !ok {
			t.Errorf("Load(%s): error %v of type %T, want Error", path, err, err)
		}
		if want := path + ": " + want + "; name a directory that can be read"; err.Error() != want {
			t.Errorf("Load: %v, want %s", err, want)
		}
		if _, err := New(path, Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New: %v, want %s", err, want)
		}
	}
}

// Two reads that agree are what the directory was at the moment between them.
func TestSettle(t *testing.T) {
	file := func(text string) []entry { return []entry{{path: "a", data: []byte(text)}} }
	for _, tt := range []struct {
		name  string
		reads []string // the last one goes on
		want  string
	}{
		{"at rest", []string{"1"}, "1"},
		{"changed during a read", []string{"1", "2"}, "2"},
		{"changed back and forth", []string{"1", "2", "1", "2", "3"}, "3"},
		{"never at rest", strings.Split("1212121212", ""), "no two reads agree"},
		{"gone during a read", []string{"1", "gone"}, "gone"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			reads := 0
			entries, err := settle(func() ([]entry, error) {
				text := tt.reads[min(reads, len(tt.reads)-1)]
				reads++
				if text == "gone" {
					return nil, errors.New(text)
				}
				return file(text), nil
			})
			got := ""
			if err != nil {
				got = err.Error()
			} else {
				got = string(entries[0].data)
			}
			if got != tt.want {
				t.Errorf("settle after %d reads: %s, want %s", reads, got, tt.want)
			}
		})
	}
}

func TestEntriesAreEqualIfAllIs(t *testing.T) {
	file := entry{path: "a", data: []byte("1")}
	if same := (entry{path: "a", data: []byte("1")}); !file.equal(same) {
		t.Errorf("%+v does not equal %+v", file, same)
	}
	for _, other := range []entry{
		{path: "b", data: file.data},
		{path: "a", data: []byte("2")},
		{path: "a", data: file.data, group: "g"},
		{path: "a", data: file.data, isDir: true},
		{path: "a", data: file.data, err: "gone"},
	} {
		if file.equal(other) {
			t.Errorf("%+v equals %+v", file, other)
		}
	}
}
