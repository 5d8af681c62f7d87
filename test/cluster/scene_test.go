package cluster

import (
	"testing"

	"github.com/xdsready/xdsready/test/cluster/record"
)

// scene is a Gateway in service: requests go through Envoys of both kinds to a
// backend.
type scene struct {
	*kube
	traffic  witness[record.Traffic]
	samplers []witness[record.Envoy] // one for each Envoy
}

// startScene installs everything, with so many Envoys of each kind, and returns when
// requests are answered and each Envoy is sampled.
func startScene(t *testing.T, each int, o controlPlaneOptions) *scene {
	t.Helper()
	k := newKube(t)
	k.installControlPlane(t, o)
	k.apply(t, backendManifest, backend(2))
	k.apply(t, gatewayManifest, nil)
	k.apply(t, routeManifest, map[string]any{"Service": "echo"})
	k.apply(t, movingManifest, changeTo(0))
	k.apply(t, changingManifest, changeTo(0))
	k.awaitRollout(t, controlPlane)
	k.installProxies(t, each)
	k.awaitRollout(t, "echo")

	s := &scene{kube: k}
	envoys := k.envoys(t)
	s.samplers = k.sampleClusters(t, envoys)
	s.traffic = k.startTraffic(t, envoys, "/echo", "/moving")
	s.awaitUndisturbed(t)
	return s
}

// backend are the values of backendManifest.
func backend(replicas int) map[string]any {
	return map[string]any{"Replicas": replicas, "Image": partsImage + ":" + imageTag}
}

// awaitUndisturbed waits until requests are answered and the Envoys have the
// backend's cluster, with its endpoints. What was before is not judged.
func (s *scene) awaitUndisturbed(t *testing.T) {
	t.Helper()
	cluster := s.namespace + "/echo/80"
	for _, sampler := range s.samplers {
		sampler.cutWhen(t, "with two endpoints in "+cluster, func(seen record.Envoy) bool {
			return seen.Now[cluster] == 2
		})
	}
	s.traffic.cutWhen(t, "answered", flows)
}

// roll changes the Deployment of the control plane and returns when the pods that
// this replaces or removes have handed over their proxies and are gone.
func (s *scene) roll(t *testing.T, patch string) {
	t.Helper()
	s.change(t, controlPlane, patch)
	s.awaitRollout(t, controlPlane)
	s.awaitGone(t, controlPlane)
}
