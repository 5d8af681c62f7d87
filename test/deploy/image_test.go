package deploy

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// The image is built with the Go of go.work: with an older one the build would
// fetch another toolchain, or fail.
func TestImageHasTheGoOfTheWorkspace(t *testing.T) {
	want := match(t, "go.work", `(?m)^go (\d+\.\d+)`)
	if got := match(t, "Dockerfile", `(?m)^FROM .*\bgolang:(\d+\.\d+) AS`); got != want {
		t.Errorf("the Dockerfile is built with Go %s, go.work asks for %s", got, want)
	}
}

// match returns the first group of a pattern in a file of the root.
func match(t *testing.T, file, pattern string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", file))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(pattern).FindSubmatch(text)
	if found == nil {
		t.Fatalf("%s has nothing like %s", file, pattern)
	}
	return string(found[1])
}
