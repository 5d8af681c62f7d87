package deploy

import (
	"bytes"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// valueSets are files of values that together have every part of a chart:
// testdata/CHART/SET.values.yaml, and beside it SET.golden.yaml.
var valueSets = []struct{ chart, set string }{
	{"chart", "default"},
	{"chart", "hold"},
	{"chart", "mtls"},
	{"chart", "everything"},
	{"proxy-chart", "default"},
	{"proxy-chart", "mtls"},
	{"proxy-chart", "everything"},
}

// releases are the name and namespace that each chart is installed with.
var releases = map[string]struct{ name, namespace string }{
	"chart":       {"xdsready", "xdsready-system"},
	"proxy-chart": {"edge", "shop"},
}

// helm runs `helm COMMAND [RELEASE] CHART` and returns its output, or the error as
// Helm prints it.
func helm(t *testing.T, command, chart string, flags ...string) (string, error) {
	t.Helper()
	release := releases[chart]
	args := []string{command}
	if command == "template" {
		args = append(args, release.name)
	}
	args = append(args, filepath.Join("..", "..", "deploy", chart), "--namespace", release.namespace)
	cmd := exec.CommandContext(t.Context(), helmPath, append(args, flags...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", errors.New(stdout.String() + stderr.String())
	}
	return stdout.String(), nil
}

func valuesFile(chart, set string) string {
	return filepath.Join("testdata", chart, set+".values.yaml")
}

// render returns the manifests of a set of values, and of more flags.
func render(t *testing.T, chart, set string, flags ...string) string {
	t.Helper()
	text, err := helm(t, "template", chart, append([]string{"--values", valuesFile(chart, set)}, flags...)...)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// untyped matches the kinds of others, whose Go types are not here.
var untyped = regexp.MustCompile(`(?m)^kind: ServiceMonitor$`)

// decode returns the objects of manifests, in their own types. A field that a type
// does not have is an error, as is a key that stands twice.
func decode(t *testing.T, manifests string) []runtime.Object {
	t.Helper()
	types := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, gatewayv1.Install} {
		if err := add(types); err != nil {
			t.Fatal(err)
		}
	}
	decoder := serializer.NewCodecFactory(types, serializer.EnableStrict).UniversalDeserializer()
	var objects []runtime.Object
	documents := utilyaml.NewDocumentDecoder(io.NopCloser(strings.NewReader(manifests)))
	defer documents.Close()
	for buffer := make([]byte, len(manifests)+1); ; {
		n, err := documents.Read(buffer)
		if errors.Is(err, io.EOF) {
			return objects
		}
		if err != nil {
			t.Fatal(err)
		}
		if untyped.Match(buffer[:n]) {
			continue
		}
		object, _, err := decoder.Decode(buffer[:n], nil, nil)
		if err != nil {
			t.Fatalf("%v\n%s", err, buffer[:n])
		}
		objects = append(objects, object)
	}
}

// only returns the one object of a type.
func only[T runtime.Object](t *testing.T, objects []runtime.Object) T {
	t.Helper()
	var found []T
	for _, object := range objects {
		if object, ok := object.(T); ok {
			found = append(found, object)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d objects of type %T, want one", len(found), *new(T))
	}
	return found[0]
}

// container returns that of the Deployment, which has one.
func container(t *testing.T, objects []runtime.Object) corev1.Container {
	t.Helper()
	containers := only[*appsv1.Deployment](t, objects).Spec.Template.Spec.Containers
	if len(containers) != 1 {
		t.Fatalf("%d containers, want one", len(containers))
	}
	return containers[0]
}
