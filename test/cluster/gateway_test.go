package cluster

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// A proxy that is there before its Gateway waits, and serves when the Gateway is
// made.
func TestProxyBeforeItsGateway(t *testing.T) {
	k := newKube(t)
	k.installControlPlane(t, controlPlaneOptions{replicas: 1})
	k.apply(t, backendManifest, backend(2))
	k.installProxies(t)
	plane := k.readyPods(t, controlPlane)[0]
	awaitWaiting(t, k.forward(t, plane.Name, 8080), 2)
	envoys := new(corev1.PodList)
	if err := k.client.List(t.Context(), envoys, client.InNamespace(k.namespace), client.MatchingLabels{instance: proxies}); err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(envoys.Items, func(pod corev1.Pod) bool { return isReady(&pod) }) {
		t.Error("an Envoy without a Gateway is in service")
	}

	k.apply(t, gatewayManifest, nil)
	k.apply(t, routeManifest, map[string]any{"Service": "echo"})
	k.awaitRollout(t, "echo")
	sent := k.startTraffic(t, k.readyPods(t, proxies), "/echo")
	sent.cutWhen(t, "answered", flows)
}

var waiting = regexp.MustCompile(`(?m)^xdsready_unknown_group_streams .*$`)

// awaitWaiting waits until a replica says that so many proxies wait for a group.
func awaitWaiting(t *testing.T, url string, want int) {
	t.Helper()
	poll(t, "proxies wait for their Gateway", func() error {
		metric := waiting.Find(ask(t, http.MethodGet, url+"/metrics"))
		if string(metric) != fmt.Sprintf("xdsready_unknown_group_streams %d", want) {
			return fmt.Errorf("the metric says %q, want %d", metric, want)
		}
		return nil
	})
}

// A Gateway that is deleted by mistake and made again was never missed by its
// proxies.
func TestGatewayRecreated(t *testing.T) {
	s := startScene(t, controlPlaneOptions{})
	s.remove(t, gatewayManifest, nil)
	awaitMore(t, s.traffic, 2000) // the control plane has long seen it
	s.apply(t, gatewayManifest, nil)
	s.awaitAccepted(t, "Gateway", "edge")
	wantUndisturbed(t, s.traffic, s.samplers)
}
