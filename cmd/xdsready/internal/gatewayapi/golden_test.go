package gatewayapi

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	gocmp "github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"sigs.k8s.io/yaml"

	"github.com/xdsready/xdsready/pkg/cache"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden compares whole gateways: testdata/NAME.yaml becomes the resources
// and the status of testdata/NAME.golden.yaml.
func TestGolden(t *testing.T) {
	inputs, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, input := range inputs {
		if strings.HasSuffix(input, ".golden.yaml") {
			continue
		}
		t.Run(filepath.Base(input), func(t *testing.T) {
			manifests, err := os.ReadFile(input)
			if err != nil {
				t.Fatal(err)
			}
			got := describe(t, load(t, string(manifests)).plan(t))
			golden := strings.TrimSuffix(input, ".yaml") + ".golden.yaml"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := gocmp.Diff(string(want), got); diff != "" {
				t.Errorf("-update writes it anew (-want +got):\n%s", diff)
			}
		})
	}
}

// describe writes all of a plan.
func describe(t *testing.T, p *Plan) string {
	t.Helper()
	var text strings.Builder
	for _, r := range p.Resources {
		text.WriteString("--- # " + string(r.Message().ProtoReflect().Descriptor().Name()) + "\n" + toYAML(t, r))
	}
	text.WriteString("--- # backends\n")
	for _, b := range p.Backends {
		text.WriteString("- " + b.Name() + "\n")
	}
	text.WriteString("--- # status of the Gateway\n")
	for _, line := range lines(p.Gateway.Conditions) {
		text.WriteString("- " + line + "\n")
	}
	for _, l := range p.Gateway.Listeners {
		for _, line := range lines(l.Conditions) {
			text.WriteString("- " + string(l.Name) + ": " + line + "\n")
		}
	}
	text.WriteString("--- # status of the routes\n")
	for _, key := range slices.SortedFunc(maps.Keys(p.Routes), compareKeys) {
		for _, line := range p.parents(key.Name) {
			text.WriteString("- " + key.Name + ": " + line + "\n")
		}
	}
	return text.String()
}

// toYAML writes a resource; a secret without its content, which differs in every
// run and is nobody's to see.
func toYAML(t *testing.T, r cache.Resource) string {
	t.Helper()
	valid(t, r)
	message := proto.Clone(r.Message())
	if secret, ok := message.(*tlsv3.Secret); ok {
		secret.Type = nil
	}
	text, err := protojson.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	written, err := yaml.JSONToYAML(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(written)
}
