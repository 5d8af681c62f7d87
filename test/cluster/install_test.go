package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The releases that tests install, each with the label instance: RELEASE.
const (
	controlPlane = "xdsready"
	proxies      = "edge" // also the name of their Gateway
	instance     = "app.kubernetes.io/instance"
)

// gatewayPort is that of the Gateway's listener, and so of each Envoy.
const gatewayPort = 8080

// controlPlaneOptions are what tests change in the installation.
type controlPlaneOptions struct {
	image     string // default: releaseImage
	replicas  int    // default: 2
	arguments []string
}

// installControlPlane installs deploy/chart, with a GatewayClass that has the name
// of the test's namespace. It does not wait.
func (k *kube) installControlPlane(t *testing.T, o controlPlaneOptions) {
	t.Helper()
	if o.image == "" {
		o.image = releaseImage
	}
	if o.replicas == 0 {
		o.replicas = 2
	}
	k.install(t, controlPlane, "../../deploy/chart", map[string]any{
		"image":          map[string]any{"repository": o.image, "tag": imageTag},
		"replicas":       o.replicas,
		"controllerName": "e2e.xdsready.io/" + k.namespace,
		"gatewayClass":   map[string]any{"name": k.namespace},
		"extraArgs":      o.arguments,
	})
}

// installProxies installs deploy/proxy-chart: two Envoys. It does not wait.
func (k *kube) installProxies(t *testing.T) {
	t.Helper()
	k.install(t, proxies, "../../deploy/proxy-chart", map[string]any{
		"image":        map[string]any{"repository": envoyImage, "tag": imageTag},
		"gateway":      map[string]any{"name": proxies},
		"controlPlane": map[string]any{"address": controlPlane + "." + k.namespace + ".svc", "caConfigMap": controlPlane + "-ca"},
		"service": map[string]any{
			"type":  "ClusterIP",
			"ports": []map[string]any{{"name": "http", "port": gatewayPort}},
		},
		"drain": map[string]any{"seconds": 0, "shell": false}, // no test looks at how Envoys go
	})
}

func (k *kube) install(t *testing.T, release, chart string, values map[string]any) {
	t.Helper()
	file, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	helm := exec.CommandContext(t.Context(), os.Getenv("HELM"), "upgrade", "--install", release, chart,
		"--namespace", k.namespace, "--values", "-")
	helm.Stdin = bytes.NewReader(file) // JSON is YAML
	if out, err := helm.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", helm, err, out)
	}
	if !slices.Contains(k.releases, release) {
		k.releases = append(k.releases, release)
	}
}

// uninstall removes what does not go with the namespace.
func (k *kube) uninstall(ctx context.Context, t *testing.T) {
	t.Helper()
	for _, release := range k.releases {
		helm := exec.CommandContext(ctx, os.Getenv("HELM"), "uninstall", release, "--namespace", k.namespace)
		if out, err := helm.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", helm, err, out)
		}
	}
}

// awaitRollout waits until all replicas of a Deployment are up to date and
// available, and no others are left.
func (k *kube) awaitRollout(t *testing.T, name string) {
	t.Helper()
	await(t, k, &appsv1.DeploymentList{}, name+" has rolled out", func(d *appsv1.Deployment) bool {
		want := *d.Spec.Replicas
		s := d.Status
		return s.ObservedGeneration >= d.Generation && s.Replicas == want && s.UpdatedReplicas == want &&
			s.AvailableReplicas == want
	}, client.MatchingFields{"metadata.name": name})
}

// change patches a Deployment as a strategic merge.
func (k *kube) change(t *testing.T, name, patch string) {
	t.Helper()
	deployment := new(appsv1.Deployment)
	deployment.Namespace, deployment.Name = k.namespace, name
	if err := k.client.Patch(t.Context(), deployment, client.RawPatch(types.StrategicMergePatchType, []byte(patch))); err != nil {
		t.Fatal(err)
	}
}
