package dir

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/xdsready/xdsready/pkg/cache"
)

// faultLine is the form of every fault: file:line: what; what to do.
var faultLine = regexp.MustCompile(`(?s)^f\.(?:json|yaml):[1-9]\d*: [^\n]+; [^\n]+$`)

// FuzzParse: no input makes the parser panic, every fault has a line and says
// what to do on one line, and parsing is a function: it gives the same versions
// and faults each time.
func FuzzParse(f *testing.F) {
	seeds, err := filepath.Glob("testdata/seeds/*")
	if err != nil || len(seeds) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, seed := range seeds {
		data, err := os.ReadFile(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(filepath.Ext(seed) == ".json", data)
	}
	f.Fuzz(func(t *testing.T, isJSON bool, data []byte) {
		name := "f.yaml"
		if isJSON {
			name = "f.json"
		}
		resources, errs := parseFile(name, data)
		for _, err := range errs {
			if !faultLine.MatchString(err.Error()) {
				t.Errorf("fault %q: want file:line: what; what to do", err)
			}
		}
		again, errsAgain := parseFile(name, data)
		if !slices.Equal(errs, errsAgain) {
			t.Errorf("parsed again: %v, want %v", errsAgain, errs)
		}
		if !slices.EqualFunc(resources, again, func(a, b located) bool { return a.Equal(b.Resource) && a.line == b.line }) {
			t.Errorf("parsed again: versions or lines differ: %v, %v", versions(resources), versions(again))
		}
	})
}

func versions(resources []located) []cache.Version {
	versions := make([]cache.Version, len(resources))
	for i, r := range resources {
		versions[i] = r.Version()
	}
	return versions
}
