package cluster

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// What replaces the replicas under a changing configuration is invisible to
// proxies, however often it happens.
func TestRestartsUnderChange(t *testing.T) {
	s := startScene(t, 3, controlPlaneOptions{replicas: 2})
	changer := s.startChanges(t)
	for i := range 5 {
		t.Run(fmt.Sprintf("rollout restart %d", i+1), func(t *testing.T) {
			s.roll(t, fmt.Sprintf(restart, i))
			s.awaitConnected(t)
			s.wantUndisturbed(t)
		})
	}
	t.Run("balance", s.testBalance)
	for i := range 3 {
		t.Run(fmt.Sprintf("delete pod --force %d", i+1), func(t *testing.T) {
			s.forceDelete(t, s.busiest(t))
			s.awaitConnected(t)
			s.wantUndisturbed(t)
		})
	}
	changer.end(t)
	s.wantUndisturbed(t)
}

// busiest is the replica that has the most streams.
func (s *scene) busiest(t *testing.T) (pod string) {
	t.Helper()
	streams := s.streams(t)
	return slices.MaxFunc(slices.Collect(maps.Keys(streams)), func(a, b string) int { return streams[a] - streams[b] })
}

// forceDelete does what "kubectl delete pod --force" does: the pod is out of the
// API at once, and the kubelet kills its process soon. It returns when another
// replica has taken its place.
func (s *scene) forceDelete(t *testing.T, name string) {
	t.Helper()
	before := s.podsOf(t, controlPlane)
	pod := new(corev1.Pod)
	pod.Namespace, pod.Name = s.namespace, name
	if err := s.client.Delete(t.Context(), pod, client.GracePeriodSeconds(0)); err != nil {
		t.Fatal(err)
	}
	await(t, s.kube, &corev1.PodList{}, "a new replica that is ready", func(pod *corev1.Pod) bool {
		known := slices.ContainsFunc(before, func(old corev1.Pod) bool { return old.UID == pod.UID })
		return !known && isReady(pod)
	}, client.MatchingLabels{instance: controlPlane})
	s.awaitRollout(t, controlPlane)
}

// awaitConnected waits until each Envoy has a stream to a replica that is ready.
func (s *scene) awaitConnected(t *testing.T) {
	t.Helper()
	began := time.Now()
	poll(t, "all proxies are connected", func() error {
		if streams := s.streams(t); total(streams) != len(s.samplers) {
			return fmt.Errorf("%d proxies have streams to %v", len(s.samplers), streams)
		}
		return nil
	})
	t.Logf("all are connected to replicas that are ready, %v after they were", time.Since(began))
}

func total(streams map[string]int) (sum int) {
	for _, n := range streams {
		sum += n
	}
	return sum
}

// testBalance waits until no replica has more than 1.3 times its fair share of the
// streams: those that restarted first have them all, until they give some away.
func (s *scene) testBalance(t *testing.T) {
	t.Logf("at first %v", s.streams(t))
	began := time.Now()
	poll(t, "streams are balanced", func() error {
		streams := s.streams(t)
		most, share := slices.Max(slices.Collect(maps.Values(streams))), float64(total(streams))/float64(len(streams))
		if total(streams) != len(s.samplers) || float64(most) > 1.3*share {
			return fmt.Errorf("%d proxies have streams to %v", len(s.samplers), streams)
		}
		t.Logf("after %v %v", time.Since(began), streams)
		return nil
	})
}
