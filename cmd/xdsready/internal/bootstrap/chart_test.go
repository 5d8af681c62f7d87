package bootstrap

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// chartForms are the bootstraps of the proxies' chart, by the way in which a
// proxy says who it is. The chart puts its own values in the place of this
// address, this port and that of --ready-address.
func chartForms() map[string]Options {
	form := func(t TLS) Options {
		t.CAFile, t.SDSDir = "/etc/xdsready/ca/ca.crt", "/etc/xdsready/bootstrap"
		return Options{
			XDSAddresses: []string{"control-plane.invalid:18000"}, AdminAddress: "127.0.0.1:9901", ReadyAddress: "0.0.0.0:19000", TLS: t,
		}
	}
	return map[string]Options{
		"token": form(TLS{TokenFile: "/etc/xdsready/identity/token"}),
		"mtls":  form(TLS{CertFile: "/etc/xdsready/identity/tls.crt", KeyFile: "/etc/xdsready/identity/tls.key"}),
	}
}

// The chart has exactly the files that the command makes.
func TestChart(t *testing.T) {
	for name, o := range chartForms() {
		t.Run(name, func(t *testing.T) {
			want, err := SecretFiles(o)
			if err != nil {
				t.Fatal(err)
			}
			b, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			if want[filepath.Join(o.TLS.SDSDir, "bootstrap.yaml")], err = YAML(b); err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join("..", "..", "..", "..", "deploy", "proxy-chart", "files", name)
			if *update {
				writeChart(t, dir, want)
			}
			got := readChart(t, dir, o.TLS.SDSDir)
			if diff := cmp.Diff(want, got, cmp.Comparer(bytes.Equal)); diff != "" {
				t.Errorf("%s differs; run go test -update and look at the change (-want +got):\n%s", dir, diff)
			}
		})
	}
}

// readChart returns the files of a directory, by their paths in a pod.
func readChart(t *testing.T, dir, inPod string) map[string][]byte {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, entry := range entries {
		if files[filepath.Join(inPod, entry.Name())], err = os.ReadFile(filepath.Join(dir, entry.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func writeChart(t *testing.T, dir string, files map[string][]byte) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for path, text := range files {
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(path)), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
