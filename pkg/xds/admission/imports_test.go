package admission

import (
	"go/build"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What this package imports, every program that uses it has to build with: gRPC
// and what gRPC brings anyway, the metrics, the gate, and no Envoy types.
func TestImports(t *testing.T) {
	pkg, err := build.ImportDir(".", 0)
	if err != nil {
		t.Fatal(err)
	}
	got := slices.DeleteFunc(pkg.Imports, func(path string) bool {
		first, _, _ := strings.Cut(path, "/")
		return !strings.Contains(first, ".") // the standard library
	})
	want := []string{
		"github.com/prometheus/client_golang/prometheus",
		"github.com/xdsready/xdsready/pkg/ready",
		"github.com/xdsready/xdsready/pkg/xds/internal/moved",
		"github.com/xdsready/xdsready/pkg/xds/internal/redact",
		"google.golang.org/genproto/googleapis/rpc/status",
		"google.golang.org/grpc",
		"google.golang.org/grpc/codes",
		"google.golang.org/grpc/credentials",
		"google.golang.org/grpc/peer",
		"google.golang.org/grpc/status",
		"google.golang.org/protobuf/proto",
		"google.golang.org/protobuf/reflect/protoreflect",
		"google.golang.org/protobuf/types/known/structpb",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("imports (-want +got):\n%s", diff)
	}
}
