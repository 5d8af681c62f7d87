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
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The releases that tests install, each with the label instance: RELEASE.
const (
	controlPlane = "xdsready"
	deltaProxies = "edge" // also the name of the Gateway of both
	sotwProxies  = "edge-sotw"
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
	k.install(t, "../../deploy/chart", controlPlane, map[string]any{
		"image":          map[string]any{"repository": o.image, "tag": imageTag},
		"replicas":       o.replicas,
		"controllerName": "e2e.xdsready.io/" + k.namespace,
		"gatewayClass":   map[string]any{"name": k.namespace},
		"extraArgs":      o.arguments,
	})
}

// installProxies installs deploy/proxy-chart twice, with so many Envoys each: as it
// is, which asks for delta xDS, and changed to state of the world. It does not wait.
func (k *kube) installProxies(t *testing.T, each int) {
	t.Helper()
	values := map[string]any{
		"image":        map[string]any{"repository": envoyImage, "tag": imageTag},
		"replicas":     each,
		"gateway":      map[string]any{"name": deltaProxies},
		"controlPlane": map[string]any{"address": controlPlane + "." + k.namespace + ".svc", "caConfigMap": controlPlane + "-ca"},
		"service": map[string]any{
			"type":  "ClusterIP",
			"ports": []map[string]any{{"name": "http", "port": gatewayPort}},
		},
		"drain": map[string]any{"seconds": 0, "shell": false}, // no test looks at how Envoys go
	}
	const chart = "../../deploy/proxy-chart"
	k.install(t, chart, deltaProxies, values)
	values["serviceAccount"] = map[string]any{"create": false} // they share that of the Gateway
	k.install(t, chart, sotwProxies, values, "--post-renderer", "sed", "--post-renderer-args", "s/DELTA_GRPC/GRPC/")
}

// envoys waits until both kinds of proxies have rolled out, and returns their pods.
func (k *kube) envoys(t *testing.T) []corev1.Pod {
	t.Helper()
	return append(k.readyPods(t, deltaProxies), k.readyPods(t, sotwProxies)...)
}

func (k *kube) install(t *testing.T, chart, release string, values map[string]any, flags ...string) {
	t.Helper()
	file, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	arguments := append([]string{"upgrade", "--install", release, chart, "--namespace", k.namespace, "--values", "-"}, flags...)
	helm := exec.CommandContext(t.Context(), os.Getenv("HELM"), arguments...)
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
