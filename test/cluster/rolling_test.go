package cluster

import (
	"fmt"
	"testing"
)

// Patches of the control plane's Deployment.
const (
	oneReplica    = `{"spec": {"replicas": 1}}`
	twoReplicas   = `{"spec": {"replicas": 2}}`
	threeReplicas = `{"spec": {"replicas": 3}}`
	// restart is what "kubectl rollout restart" does, each time with another number.
	restart = `{"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "%d"}}}}}`
)

// Whatever replicas come and go, proxies always have one that knows everything.
func TestScaleUpAndRollingRestart(t *testing.T) {
	s := startScene(t, 1, controlPlaneOptions{replicas: 2})
	for _, step := range []struct{ name, patch string }{
		{"to one replica", oneReplica},
		{"from one to three", threeReplicas},
		{"rolling restart", fmt.Sprintf(restart, 1)},
		{"back to two", twoReplicas},
	} {
		t.Run(step.name, func(t *testing.T) {
			s.roll(t, step.patch)
			s.wantUndisturbed(t)
		})
	}
}

// Without the gate the same restart loses requests and clusters: a replica gives
// proxies what it has listed so far. This is the proof that the test above would
// see it.
func TestWithoutGate(t *testing.T) {
	s := startScene(t, 1, controlPlaneOptions{
		image:    testingImage,
		replicas: 2,
		arguments: []string{
			"--test-no-gate",
			// Longer than it takes until the old replicas have ended.
			"--test-input-delay=httproutes=40s",
			// Or clusters would go only after all this is over.
			"--removal-delay=1s",
		},
	})
	s.roll(t, fmt.Sprintf(restart, 1))

	sent := s.traffic.cut(t)
	t.Logf("%d of %d requests lost; the first: %+v", sent.Failed, sent.Requests, sent.Failures[:min(3, len(sent.Failures))])
	if sent.Failed == 0 {
		t.Errorf("none of %d requests lost without the gate: the test sees nothing", sent.Requests)
	}
	lost := 0
	for _, sampler := range s.samplers {
		seen := sampler.cut(t)
		losses := s.mistaken(seen)
		t.Logf("%s: clusters lost in %d of %d samples: %+v", sampler.name, len(losses), seen.Samples, losses)
		lost += len(losses)
	}
	if lost == 0 {
		t.Error("no Envoy lost a cluster without the gate: the test sees nothing")
	}
	s.awaitUndisturbed(t) // and it ends by itself
}
