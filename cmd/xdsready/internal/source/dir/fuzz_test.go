package dir

import (
	"fmt"
	"regexp"
	"slices"
	"testing"

	"github.com/xdsready/xdsready/pkg/cache"
)

var errorLine = regexp.MustCompile(`(?s)^f:[1-9]\d*: [^\n]+; [^\n]+$`)

// FuzzParseFile: no input makes the parser panic, every fault has a line and
// says what to do on one line, and parsing is a function: it gives the same
// versions and faults each time.
func FuzzParseFile(f *testing.F) {
	for _, seed := range []string{
		twoResources,
		fmt.Sprintf(deepListener, "stat_prefix: x", ""),
		fmt.Sprintf(deepListener, "", "strict_check_headers: [x]"),
		header + "- &a {x: 1}\n- *a\n- [[{}]]\n- {\"@type\": 5}\n",
		header + "- \"@type\": a/google.protobuf.Any\n- \"@type\": a/google.protobuf.Duration\n  value: 1s\n",
		header + "- \"@type\": a/envoy.service.runtime.v3.Runtime\n  name: r\n  layer: {x: .inf, y: 0o7, z: !!binary aa}\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		resources, errs := parseFile("f", data)
		for _, err := range errs {
			if !errorLine.MatchString(err.Error()) {
				t.Errorf("fault %q: want file:line: what; what to do", err)
			}
		}
		again, errsAgain := parseFile("f", data)
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
