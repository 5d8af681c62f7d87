package deploy

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// generated matches certificates and keys, which are new in each rendering.
var generated = regexp.MustCompile(`(ca\.crt|tls\.crt|tls\.key): (LS0t[0-9A-Za-z+/=]+|"-----BEGIN [^"]*")`)

// The files are what people get: read them when they change.
func TestGolden(t *testing.T) {
	for _, v := range valueSets {
		t.Run(v.chart+"/"+v.set, func(t *testing.T) {
			got := generated.ReplaceAllString(render(t, v.chart, v.set), "$1: PEM")
			golden := filepath.Join("testdata", v.chart, v.set+".golden.yaml")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s differs; run go test -update and look at the change (-want +got):\n%s", golden, diff)
			}
		})
	}
}

func TestLint(t *testing.T) {
	for _, v := range valueSets {
		if out, err := helm(t, "lint", v.chart, "--strict", "--values", valuesFile(v.chart, v.set)); err != nil {
			t.Errorf("%s/%s: %v\n%s", v.chart, v.set, err, out)
		}
	}
}

// Every object is one that Kubernetes has, field by field.
func TestObjectsAreOfKubernetes(t *testing.T) {
	for _, v := range valueSets {
		t.Run(v.chart+"/"+v.set, func(t *testing.T) {
			if objects := decode(t, render(t, v.chart, v.set)); len(objects) == 0 {
				t.Error("nothing is rendered")
			}
		})
	}
}

// A namespace that enforces the Pod Security Standard "restricted" takes the pods,
// whose files no process in them can change.
func TestPodsAreRestricted(t *testing.T) {
	standard, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range valueSets {
		t.Run(v.chart+"/"+v.set, func(t *testing.T) {
			objects := decode(t, render(t, v.chart, v.set))
			pod := only[*appsv1.Deployment](t, objects).Spec.Template
			results := standard.EvaluatePod(api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}, &pod.ObjectMeta, &pod.Spec)
			if all := policy.AggregateCheckResults(results); !all.Allowed {
				t.Errorf("not restricted: %s", all.ForbiddenDetail())
			}
			if readOnly := container(t, objects).SecurityContext.ReadOnlyRootFilesystem; readOnly == nil || !*readOnly {
				t.Error("the root filesystem can be written")
			}
		})
	}
}
