package main

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// needsCluster begins the names of the rows that need a real API server.
const needsCluster = "kubernetes"

func TestKubernetesRowsHaveBothTheirNumbers(t *testing.T) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Skip("KUBEBUILDER_ASSETS is not set: `make kubernetes` runs the tests with a real kube-apiserver")
	}
	code, stdout, stderr := call(t, "--output", "json", "--only", "^"+needsCluster)
	var r report
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatalf("standard output is no JSON (exit code %d): %v\n%s%s", code, err, stdout, stderr)
	}
	var names []string
	for _, row := range r.Rows {
		names = append(names, row.Name)
		if row.Ours <= 0 && row.Name != "kubernetes/start-krt" {
			t.Errorf("%s: nothing was measured of ours", row.Name)
		}
		if row.Peer != "" && *row.PeerValue <= 0 {
			t.Errorf("%s: nothing was measured of the peer", row.Name)
		}
	}
	if diff := cmp.Diff(slices.Concat(kubernetesSource.names(), kubernetesSizes.names()), names); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

func TestWithoutAnAPIServerItIsSaidHowToGetOne(t *testing.T) {
	t.Setenv("KUBEBUILDER_ASSETS", "")
	code, _, stderr := call(t, "--only", "^"+needsCluster)
	if code != exitFault || !strings.Contains(stderr, errNoAssets.Error()) {
		t.Errorf("exit code %d, standard error %q; want %d and %q", code, stderr, exitFault, errNoAssets)
	}
}

func TestAProgramThatEndsEarlyIsAFaultWithItsLastWords(t *testing.T) {
	p := &program{}
	if err := p.start(t.Context(), nil, "/bin/sh", "-c", "echo no cluster >&2; exit 3"); err != nil {
		t.Fatal(err)
	}
	_, err := p.awaitReady(t.Context())
	if err == nil || !strings.Contains(err.Error(), "no cluster") {
		t.Errorf("got %v, want what the program printed", err)
	}
	if err := p.stop(); err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("stop: got %v, want the exit status", err)
	}
}
