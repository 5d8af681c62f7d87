package cluster

import (
	"fmt"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// A proxy that is there before its Gateway waits, and serves when the Gateway is
// made.
func TestProxyBeforeItsGateway(t *testing.T) {
	k := newKube(t)
	k.installControlPlane(t, controlPlaneOptions{replicas: 1})
	k.apply(t, backendManifest, backend(2))
	k.installProxies(t, 1)
	plane := k.readyPods(t, controlPlane)[0]
	k.awaitWaiting(t, plane.Name, 2)
	for _, kind := range []string{deltaProxies, sotwProxies} {
		if slices.ContainsFunc(k.podsOf(t, kind), func(pod corev1.Pod) bool { return isReady(&pod) }) {
			t.Errorf("an Envoy of %s is in service without a Gateway", kind)
		}
	}

	k.apply(t, gatewayManifest, nil)
	k.apply(t, routeManifest, map[string]any{"Service": "echo"})
	k.awaitRollout(t, "echo")
	sent := k.startTraffic(t, k.envoys(t), "/echo")
	sent.cutWhen(t, "answered", flows)
}

// awaitWaiting waits until a replica says that so many proxies wait for a group.
func (k *kube) awaitWaiting(t *testing.T, replica string, want float64) {
	t.Helper()
	poll(t, "proxies wait for their Gateway", func() error {
		const metric = "xdsready_unknown_group_streams"
		if got, err := k.metric(t.Context(), replica, metric); err != nil || got != want {
			return fmt.Errorf("%s is %v (error: %w), want %v", metric, got, err, want)
		}
		return nil
	})
}

// A Gateway that is deleted by mistake and made again was never missed by its
// proxies.
func TestGatewayRecreated(t *testing.T) {
	s := startScene(t, 1, controlPlaneOptions{})
	s.remove(t, gatewayManifest, nil)
	awaitMore(t, s.traffic, 2000) // the control plane has long seen it
	s.apply(t, gatewayManifest, nil)
	s.awaitAccepted(t, "Gateway", "edge")
	s.wantUndisturbed(t)
}
