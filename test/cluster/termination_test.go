package cluster

import (
	"bufio"
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// A replica that is asked to end drains and exits with code 0, within its grace
// period, and tells what it does.
func TestTermination(t *testing.T) {
	s := startScene(t, 1, controlPlaneOptions{replicas: 2})
	replica := s.busiest(t)
	streams := s.streams(t)[replica]
	log := s.followLog(t, replica)
	pod := s.deleteAndWatch(t, replica)

	ended := pod.Status.ContainerStatuses[0].State.Terminated
	grace := time.Duration(*pod.DeletionGracePeriodSeconds) * time.Second
	took := ended.FinishedAt.Sub(pod.DeletionTimestamp.Add(-grace)) // in whole seconds, as the API has them
	t.Logf("with %d streams it ended %v after it was deleted, with code %d (%s)", streams, took, ended.ExitCode, ended.Reason)
	if ended.ExitCode != 0 {
		t.Errorf("exit code %d (%s), want 0", ended.ExitCode, ended.Reason)
	}
	if took < drainDelay || took >= grace {
		t.Errorf("it took %v, want at least %v, in which it serves as before, and less than %v", took, drainDelay, grace)
	}
	lines := log()
	drains := slices.IndexFunc(lines, func(line logLine) bool { return line.To == "draining" })
	if drains < 0 || lines[len(lines)-1].Message != "xdsready has ended" {
		t.Errorf("the log does not tell of the drain and the end: %+v", lines)
	}
	s.awaitRollout(t, controlPlane)
	s.wantUndisturbed(t)
}

// drainDelay is what the chart sets.
const drainDelay = 5 * time.Second

// deleteAndWatch deletes a pod as "kubectl delete pod" does, waits until it is gone, and
// returns it as it was when its container had ended: the kubelet then sets its grace
// period to zero.
func (k *kube) deleteAndWatch(t *testing.T, name string) (ended *corev1.Pod) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	err := k.watch(ctx, &corev1.PodList{}, func(event watch.Event) bool {
		pod, ok := event.Object.(*corev1.Pod)
		if !ok {
			return false
		}
		if event.Type == watch.Added {
			if err := k.client.Delete(ctx, pod); err != nil {
				t.Error(err)
			}
		}
		if ended == nil && pod.Status.ContainerStatuses[0].State.Terminated != nil {
			ended = pod
		}
		return event.Type == watch.Deleted
	}, client.InNamespace(k.namespace), client.MatchingFields{"metadata.name": name})
	if err != nil || ended == nil {
		t.Fatalf("pod %s: its container was not seen to end (error: %v)", name, err)
	}
	return ended
}

// followLog begins to follow the log of a pod. The function that it returns reads
// it to its end, which is that of the container.
func (k *kube) followLog(t *testing.T, pod string) (rest func() []logLine) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	stream, err := k.pods.CoreV1().Pods(k.namespace).GetLogs(pod, &corev1.PodLogOptions{Follow: true}).Stream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stream.Close() })
	return func() (lines []logLine) {
		for scanner := bufio.NewScanner(stream); scanner.Scan(); {
			var line logLine
			if json.Unmarshal(scanner.Bytes(), &line) == nil {
				lines = append(lines, line)
			}
		}
		return lines
	}
}
