package world

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// has returns what is in the directory; a file that is not whole as "torn".
func (d *directory) has(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	entries, err := os.ReadDir(d.path)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		content, err := os.ReadFile(filepath.Join(d.path, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		found[entry.Name()] = string(content)
		if !json.Valid(content) {
			found[entry.Name()] = "torn"
		}
	}
	return found
}

func TestDirectory(t *testing.T) {
	first, second := []byte(`{"version":1}`), []byte(`{"version":2}`)
	for name, spoil := range map[string]struct {
		begin, end func(*directory) error
		meanwhile  map[string]string
	}{
		"a full disk":        {func(d *directory) error { return d.tear("a") }, (*directory).mend, map[string]string{"a": "torn", "b": string(first)}},
		"no directory there": {(*directory).hide, (*directory).show, nil},
	} {
		t.Run(name, func(t *testing.T) {
			d := &directory{path: filepath.Join(t.TempDir(), "input"), files: map[string][]byte{}}
			do := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			do(os.Mkdir(d.path, 0o700))
			do(d.write("a", first))
			do(d.write("b", first))
			do(spoil.begin(d))
			do(d.write("b", second)) // arrives later
			if diff := cmp.Diff(spoil.meanwhile, d.has(t)); diff != "" {
				t.Errorf("meanwhile (-want +got):\n%s", diff)
			}
			if got, want := d.hidden(), spoil.meanwhile == nil; got != want {
				t.Errorf("hidden: %v, want %v", got, want)
			}
			do(spoil.end(d))
			if diff := cmp.Diff(map[string]string{"a": string(first), "b": string(second)}, d.has(t)); diff != "" {
				t.Errorf("at the end (-want +got):\n%s", diff)
			}
		})
	}
}
