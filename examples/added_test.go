package examples

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// most is how many lines a gate may add to a program, imports and comments
// included.
const most = 15

// TestAddedLines prints what the gate adds to each program (with -v), and
// counts it.
func TestAddedLines(t *testing.T) {
	programs, err := filepath.Glob("embed-*")
	if err != nil || len(programs) < 3 {
		t.Fatalf("found the programs %q (%v), want three or more", programs, err)
	}
	for _, program := range programs {
		t.Run(program, func(t *testing.T) {
			edits := diff(lines(t, program, "before", "main.go"), lines(t, program, "main.go"))
			added := slices.DeleteFunc(slices.Clone(edits), func(line string) bool { return line[0] != '+' })
			t.Logf("%d lines added:\n%s", len(added), strings.Join(edits, "\n"))
			if len(added) > most {
				t.Errorf("the gate adds %d lines, want at most %d", len(added), most)
			}
			if len(added) == 0 {
				t.Error("the program has no gate")
			}
		})
	}
}

// TestAddedByTheServer prints what our server adds to the program that has the
// gate and go-control-plane's (with -v), and counts it: one constructor, the gate's
// registry for it, and gRPC's health service.
func TestAddedByTheServer(t *testing.T) {
	const most = 7
	code := func(path ...string) []string {
		all := lines(t, append([]string{"embed-go-control-plane"}, path...)...)
		return all[slices.Index(all, "package main"):]
	}
	edits := diff(code("main.go"), code("ordered", "main.go"))
	added := slices.DeleteFunc(slices.Clone(edits), func(line string) bool { return line[0] != '+' })
	t.Logf("%d lines added:\n%s", len(added), strings.Join(edits, "\n"))
	if len(added) == 0 || len(added) > most {
		t.Errorf("the server adds %d lines, want 1 to %d", len(added), most)
	}
}

// TestDiff compares diff with what a reader counts by hand.
func TestDiff(t *testing.T) {
	for _, row := range []struct {
		name, before, after, want string
	}{
		{"equal texts", "a b c", "a b c", ""},
		{"an added line", "a c", "a b c", "+b"},
		{"a removed line", "a b c", "a c", "-b"},
		{"a changed line is removed and added", "a b c", "a x c", "-b +x"},
		{"lines at both ends", "b", "a b c", "+a +c"},
		{"a repeated line", "a a", "a a a", "+a"},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := strings.Join(diff(strings.Fields(row.before), strings.Fields(row.after)), " ")
			if got != row.want {
				t.Errorf("diff(%q, %q) = %q, want %q", row.before, row.after, got, row.want)
			}
		})
	}
}

// lines returns the lines of a file.
func lines(t *testing.T, path ...string) []string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(content), "\n")
}

// diff returns the fewest edits that make b of a: "-LINE" and "+LINE", in order.
func diff(a, b []string) []string {
	// common[i][j] is the length of the longest common subsequence of a[i:] and b[j:].
	common := make([][]int, len(a)+1)
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i, old := range slices.Backward(a) {
		for j, now := range slices.Backward(b) {
			common[i][j] = max(common[i+1][j], common[i][j+1])
			if old == now {
				common[i][j] = common[i+1][j+1] + 1
			}
		}
	}
	var edits []string
	for i, j := 0, 0; i < len(a) || j < len(b); {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && common[i+1][j] >= common[i][j+1]:
			edits = append(edits, "-"+a[i])
			i++
		default:
			edits = append(edits, "+"+b[j])
			j++
		}
	}
	return edits
}
