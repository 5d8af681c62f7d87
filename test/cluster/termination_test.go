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
	deleted, ended := s.deleteAndWatch(t, replica)

	took, grace := ended.FinishedAt.Sub(deleted), time.Duration(defaultGrace)*time.Second
	t.Logf("ended %v after it was deleted, with code %d (%s); it had %d streams", took, ended.ExitCode, ended.Reason, streams)
	if ended.ExitCode != 0 {
		t.Errorf("exit code %d (%s), want 0", ended.ExitCode, ended.Reason)
	}
	if took < defaultDrainDelay*time.Second || took >= grace {
		t.Errorf("it took %v, want at least %d s, in which it serves as before, and less than %v", took, defaultDrainDelay, grace)
	}
	lines := log()
	drains := slices.IndexFunc(lines, func(line logLine) bool { return line.To == "draining" })
	if drains < 0 || lines[len(lines)-1].Message != "xdsready has ended" {
		t.Errorf("the log does not tell of the drain and the end: %+v", lines)
	}
	s.awaitRollout(t, controlPlane)
	s.wantUndisturbed(t)
}

// What the chart sets, in seconds.
const (
	defaultDrainDelay = 5
	defaultGrace      = 30
)

// deleteAndWatch deletes a pod as "kubectl delete pod" does, and returns when that
// was and how its container ended.
func (k *kube) deleteAndWatch(t *testing.T, name string) (deleted time.Time, ended corev1.ContainerStateTerminated) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	found := false
	err := k.watch(ctx, &corev1.PodList{}, func(event watch.Event) bool {
		pod, ok := event.Object.(*corev1.Pod)
		if !ok {
			return false
		}
		if event.Type == watch.Added {
			deleted = time.Now().Truncate(time.Second) // the API has seconds only
			if err := k.client.Delete(ctx, pod); err != nil {
				t.Error(err)
			}
		}
		if state := pod.Status.ContainerStatuses[0].State; state.Terminated != nil {
			found, ended = true, *state.Terminated
		}
		return event.Type == watch.Deleted
	}, client.InNamespace(k.namespace), client.MatchingFields{"metadata.name": name})
	if err != nil || !found {
		t.Fatalf("pod %s: its container was not seen to end (error: %v)", name, err)
	}
	return deleted, ended
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
