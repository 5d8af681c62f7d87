package admission

import (
	"slices"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/service/accesslog/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/google/go-cmp/cmp"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/xdsready/xdsready/pkg/cache"
)

// The labels are pkg/cache's words, which this package may not import.
func TestTypesAreNamedAsInTheCache(t *testing.T) {
	want := []string{cache.Kind("")}
	for _, url := range cache.AllTypes() {
		label := labelOf(cache.Kind(url))
		want = append(want, label)
		if got := typeOf(url, sotwADS).String(); got != label {
			t.Errorf("type %s has the label %q, want %q", url, got, label)
		}
	}
	var got []string
	for _, names := range resourceTypes {
		got = append(got, names.label)
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("labels (-cache +admission):\n%s", diff)
	}
}

// labelOf is a cache.Kind as a label value.
func labelOf(kind string) string {
	return string(slices.Collect(func(yield func(byte) bool) {
		for _, c := range []byte(kind) {
			if c == ' ' {
				c = '_'
			}
			if !yield(c) {
				return
			}
		}
	}))
}
