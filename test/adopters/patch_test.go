package adopters

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// patch is a unified diff of several files.
type patch []filePatch

// filePatch changes one file.
type filePatch struct {
	path  string // relative, with slashes
	hunks []hunk
}

// hunk replaces lines that start at a line of the old file.
type hunk struct {
	start    int // counted from 0
	old, new []string
}

var hunkHeader = regexp.MustCompile(`^@@ -(\d+)(?:,\d+)? \+\d+(?:,\d+)? @@`)

// parse reads a unified diff as git prints it, and counts its added lines.
func parse(text string) (p patch, added int, err error) {
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if path, ok := strings.CutPrefix(line, "+++ b/"); ok {
			p = append(p, filePatch{path: path})
			continue
		}
		if strings.HasPrefix(line, "diff ") || strings.HasPrefix(line, "--- a/") {
			continue
		}
		if len(p) == 0 {
			return nil, 0, fmt.Errorf("%q before the first file", line)
		}
		file := &p[len(p)-1]
		if header := hunkHeader.FindStringSubmatch(line); header != nil {
			start, err := strconv.Atoi(header[1])
			if err != nil {
				return nil, 0, err
			}
			file.hunks = append(file.hunks, hunk{start: start - 1})
			continue
		}
		if len(file.hunks) == 0 || line == "" {
			return nil, 0, fmt.Errorf("%s: %q is in no hunk", file.path, line)
		}
		h := &file.hunks[len(file.hunks)-1]
		switch kind, content := line[0], line[1:]; kind {
		case ' ':
			h.old, h.new = append(h.old, content), append(h.new, content)
		case '-':
			h.old = append(h.old, content)
		case '+':
			h.new = append(h.new, content)
			added++
		default:
			return nil, 0, fmt.Errorf("%s: %q is not a line of a hunk", file.path, line)
		}
	}
	return p, added, nil
}

// apply changes the files below dir. The lines must be where the patch says:
// the version that is patched is pinned.
func (p patch) apply(dir string) error {
	for _, file := range p {
		path := filepath.Join(dir, filepath.FromSlash(file.path))
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		lines := strings.Split(string(content), "\n")
		for _, h := range slices.Backward(file.hunks) {
			end := h.start + len(h.old)
			if end > len(lines) || !slices.Equal(lines[h.start:end], h.old) {
				return fmt.Errorf("%s:%d: the lines are not those of the patch", file.path, h.start+1)
			}
			lines = slices.Replace(lines, h.start, end, h.new...)
		}
		if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func TestPatch(t *testing.T) {
	const text = "diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -1,2 +1,3 @@\n a\n-b\n+B\n+c\n@@ -4 +5 @@ func\n-d\n+D\n"
	p, added, err := parse(text)
	if err != nil || added != 3 {
		t.Fatalf("parse: %d lines added, error %v; want 3 and none", added, err)
	}
	for _, row := range []struct{ name, before, after, err string }{
		{"the lines are there", "a\nb\nx\nd\n", "a\nB\nc\nx\nD\n", ""},
		{"a line differs", "a\nb\nx\ne\n", "a\nb\nx\ne\n", "f:4: the lines are not those of the patch"},
		{"the file is too short", "a", "a", "f:4: the lines are not those of the patch"},
	} {
		t.Run(row.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f")
			if err := os.WriteFile(path, []byte(row.before), 0o600); err != nil {
				t.Fatal(err)
			}
			message := ""
			if err := p.apply(filepath.Dir(path)); err != nil {
				message = err.Error()
			}
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{row.after, row.err}, []string{string(content), message}); diff != "" {
				t.Errorf("file and error after apply (-want +got):\n%s", diff)
			}
		})
	}
}
