package consumer

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/xdsready/xdsready/test/apiserver"
	"github.com/xdsready/xdsready/test/gomod"
	"github.com/xdsready/xdsready/test/loopback"
	"github.com/xdsready/xdsready/test/process"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestKeepsItsVersions makes the program in testdata/before the one in
// testdata/after, compares all versions of its modules, and runs it.
func TestKeepsItsVersions(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/before")); err != nil {
		t.Fatal(err)
	}
	gomod.Go(t, dir, "build", "-o", os.DevNull, ".")
	want := versions(t, dir)

	gated, err := os.ReadFile("testdata/after/main.go")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "main.go"), gated, 0o600); err != nil {
		t.Fatal(err)
	}
	gomod.Require(t, dir)
	gomod.Go(t, dir, "build", "-o", "after", ".")
	got := versions(t, dir)
	for path := range got {
		if _, known := want[path]; !known {
			t.Logf("new: %s %s", path, got[path])
			delete(got, path)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("versions before and after (-want +got):\n%s", diff)
	} else {
		t.Logf("%d modules, k8s.io/client-go %s, none moved", len(want), want["k8s.io/client-go"])
	}

	runs(t, filepath.Join(dir, "after"))
}

// versions returns the version of every module of the build list, and that of
// Go.
func versions(t *testing.T, dir string) map[string]string {
	t.Helper()
	versions := map[string]string{}
	for line := range strings.Lines(gomod.Go(t, dir, "list", "-m", "-f", "{{.Path}} {{.Version}} {{.GoVersion}}", "all")) {
		path, version, _ := strings.Cut(strings.TrimSpace(line), " ")
		versions[path] = version
	}
	return versions
}

// runs checks that the program follows the API server: client-go's informer
// lists EndpointSlices, controller-runtime's cache Services.
func runs(t *testing.T, path string) {
	t.Helper()
	server, probes := apiserver.New(t), loopback.Address(t)
	server.Hold("services")
	server.Refuse("endpointslices")
	p := process.Start(t, path, "-server", server.URL, "-http-address", probes, "-xds-address", loopback.Address(t))
	readyz := "http://" + probes + "/readyz"

	p.Until(t, readyz+"?verbose", "red with both reasons", func(code int, body string) bool {
		return code == http.StatusServiceUnavailable &&
			strings.Contains(body, "[-]inputs/services pending") &&
			strings.Contains(body, "[-]inputs/endpointslices failed") &&
			strings.Contains(body, `endpointslices is forbidden: User "test" cannot list resource`)
	})
	server.Allow("endpointslices")
	p.Until(t, readyz+"/inputs/endpointslices", "green", func(code int, _ string) bool { return code == http.StatusOK })
	p.Until(t, readyz, "red", func(code int, _ string) bool { return code == http.StatusServiceUnavailable })
	server.Release("services")
	p.Until(t, readyz, "green", func(code int, _ string) bool { return code == http.StatusOK })
	p.Terminate(t)
	p.WantExit(t)
}
