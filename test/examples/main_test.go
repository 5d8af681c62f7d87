package examples

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"go.uber.org/goleak"
)

// programs are the directories of the module examples that embed the gate.
var programs = []string{"embed-go-control-plane", "embed-controller-runtime", "embed-krt"}

// The forms in which each program is built, as directories of binaries.
const (
	gated     = "gated"
	before    = "before"    // without the gate
	forgetful = "forgetful" // with one tier more, for which nothing is registered
	ordered   = "ordered"   // only of the go-control-plane program: with our server as well
)

// admitting are the forms that have the gate and are meant to be used.
var admitting = []struct{ name, form string }{
	{"embed-go-control-plane", gated},
	{"embed-go-control-plane", ordered},
	{"embed-controller-runtime", gated},
	{"embed-krt", gated},
}

// binaries is the directory of gated, before and forgetful.
var binaries string

func TestMain(m *testing.M) {
	var err error
	if binaries, err = build(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(binaries)
		os.Exit(code)
	}))
}

// build compiles every program in its forms and returns the directory.
func build() (string, error) {
	module, err := filepath.Abs("../../examples")
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "xdsready-examples-")
	if err != nil {
		return "", err
	}
	overlay, err := forget(module, dir)
	if err != nil {
		return "", err
	}
	for _, name := range programs {
		forms := map[string][]string{
			gated:     {"./" + name},
			before:    {"./" + name + "/before"},
			forgetful: {"-overlay", overlay, "./" + name},
		}
		if name == "embed-go-control-plane" {
			forms[ordered] = []string{"./" + name + "/ordered"}
		}
		for form, arguments := range forms {
			command := exec.Command("go", append([]string{"build", "-ldflags=-s -w", "-o", filepath.Join(dir, form, name)}, arguments...)...)
			command.Dir = module
			if out, err := command.CombinedOutput(); err != nil {
				return "", fmt.Errorf("%s: %w\n%s", command, err, out)
			}
		}
	}
	return dir, nil
}

// made is how a program makes its registry.
var made = regexp.MustCompile(`ready\.New\(([^)]+)\)`)

// forget writes an overlay for go build in which every program names a tier
// that it then forgets.
func forget(module, dir string) (string, error) {
	replace := map[string]string{}
	for _, name := range programs {
		path := filepath.Join(module, name, "main.go")
		source, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		forgot := made.ReplaceAll(source, []byte(`ready.New($1, "forgotten")`))
		if bytes.Equal(forgot, source) {
			return "", fmt.Errorf("%s does not give ready.New its tiers", path)
		}
		replace[path] = filepath.Join(dir, name+".go")
		if err := os.WriteFile(replace[path], forgot, 0o600); err != nil {
			return "", err
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, overlay, 0o600)
}
