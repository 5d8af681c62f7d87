package adopters

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/xdsready/xdsready/test/gomod"
)

const (
	contour = "github.com/projectcontour/contour@v1.33.8"
	most    = 30 // lines that the patch may add, everything counted
)

// TestContour patches Contour, builds its command, and runs its own tests of
// what is patched: its handler, its command, and the feature tests, which drive
// the handler through a real gRPC server. One test of ours is added. It takes
// a minute, and a few more when nothing is in Go's build cache.
func TestContour(t *testing.T) {
	source, err := os.ReadFile("testdata/contour-v1.33.8.patch")
	if err != nil {
		t.Fatal(err)
	}
	changes, added, err := parse(string(source))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the patch adds %d lines:\n%s", added, source)
	if added > most {
		t.Errorf("the patch adds %d lines, want at most %d", added, most)
	}

	dir := checkout(t, contour)
	if err := changes.apply(dir); err != nil {
		t.Fatal(err)
	}
	test, err := os.ReadFile("testdata/gate_test.go")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "internal", "contour", "gate_test.go"), test, 0o600); err != nil {
		t.Fatal(err)
	}
	gomod.Require(t, dir)

	gomod.Go(t, dir, "build", "-o", "contour", "./cmd/contour")
	t.Log(gomod.Go(t, dir, "test", "./cmd/contour", "./internal/contour", "./internal/featuretests/v3"))
}

// checkout copies a module's source, from Go's module proxy or cache, to a
// directory where it may be changed.
func checkout(t *testing.T, module string) string {
	t.Helper()
	var downloaded struct{ Dir string }
	if err := json.Unmarshal([]byte(gomod.Go(t, t.TempDir(), "mod", "download", "-json", module)), &downloaded); err != nil {
		t.Fatalf("go mod download -json: %v", err)
	}
	dir := t.TempDir()
	for _, needed := range []string{"go.mod", "go.sum", "apis", "cmd", "examples", "internal", "pkg"} {
		from, to := filepath.Join(downloaded.Dir, needed), filepath.Join(dir, needed)
		err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			target := to + strings.TrimPrefix(path, from)
			if err := os.MkdirAll(filepath.Dir(target), 0o750); err != nil {
				return err
			}
			return os.WriteFile(target, content, 0o600)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
