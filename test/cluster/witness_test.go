package cluster

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/xdsready/xdsready/test/cluster/record"
)

// recordPort is where the programs that record answer.
const recordPort = 9100

// witness is a program in a pod that records what it sees.
type witness[Record any] struct {
	name string // what it watches
	url  string
}

// record returns what it has seen since the last cut.
func (w witness[Record]) record(t *testing.T) Record {
	t.Helper()
	return w.get(t, http.MethodGet, "/record")
}

// cut does so too, and begins a new record.
func (w witness[Record]) cut(t *testing.T) Record {
	t.Helper()
	return w.get(t, http.MethodPost, "/cut")
}

func (w witness[Record]) get(t *testing.T, method, path string) (seen Record) {
	t.Helper()
	if err := json.Unmarshal(ask(t, method, w.url+path), &seen); err != nil {
		t.Fatal(err)
	}
	return seen
}

// cutWhen cuts until a record is as wanted; what says how.
func (w witness[Record]) cutWhen(t *testing.T, what string, holds func(Record) bool) {
	t.Helper()
	poll(t, w.name+" sees "+what, func() error {
		if seen := w.cut(t); !holds(seen) {
			return fmt.Errorf("it saw %+v", seen)
		}
		return nil
	})
}

// sampleClusters adds a sampler to each Envoy's pod, where Envoy's admin server
// can be reached.
func (k *kube) sampleClusters(t *testing.T, envoys []corev1.Pod) (samplers []witness[record.Envoy]) {
	t.Helper()
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"ephemeralContainers": []any{map[string]any{
		"name":  "sampler",
		"image": partsImage + ":" + imageTag,
		"args":  []string{"sampler", fmt.Sprintf(":%d", recordPort), "http://127.0.0.1:9901"},
	}}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, pod := range envoys {
		err := k.client.SubResource("ephemeralcontainers").Patch(t.Context(), &pod, client.RawPatch(types.StrategicMergePatchType, patch))
		if err != nil {
			t.Fatal(err)
		}
		await(t, k, &corev1.PodList{}, "sampled", func(pod *corev1.Pod) bool {
			statuses := pod.Status.EphemeralContainerStatuses
			return len(statuses) == 1 && statuses[0].State.Running != nil
		}, client.MatchingFields{"metadata.name": pod.Name})
		samplers = append(samplers, witness[record.Envoy]{name: pod.Name, url: k.forward(t, pod.Name, recordPort)})
	}
	return samplers
}

// startTraffic sends steady requests from a pod to paths of each Envoy.
func (k *kube) startTraffic(t *testing.T, envoys []corev1.Pod, paths ...string) witness[record.Traffic] {
	t.Helper()
	arguments := []string{"traffic", fmt.Sprintf(":%d", recordPort)}
	for _, envoy := range envoys {
		for _, path := range paths {
			arguments = append(arguments, fmt.Sprintf("http://%s:%d%s", envoy.Status.PodIP, gatewayPort, path))
		}
	}
	k.apply(t, trafficManifest, map[string]any{"Image": partsImage + ":" + imageTag, "Arguments": arguments})
	await(t, k, &corev1.PodList{}, "ready", isReady, client.MatchingFields{"metadata.name": "traffic"})
	return witness[record.Traffic]{name: "traffic", url: k.forward(t, "traffic", recordPort)}
}

// flows tells whether requests were sent and all of them answered.
func flows(seen record.Traffic) bool { return seen.Requests >= 20 && seen.Failed == 0 }

// awaitMore waits until so many more requests have been sent.
func awaitMore(t *testing.T, sent witness[record.Traffic], requests int) {
	t.Helper()
	want := sent.record(t).Requests + requests
	poll(t, "more requests are sent", func() error {
		if seen := sent.record(t); seen.Requests < want {
			return fmt.Errorf("%d requests, want %d", seen.Requests, want)
		}
		return nil
	})
}

// aloneAtMost is how long an Envoy may be without a stream when the replica that it
// had goes: it comes back within a second, but perhaps first to one that has just
// gone too.
const aloneAtMost = 5 * time.Second

// wantUndisturbed cuts all records: no request may be lost, no Envoy may ever have
// had fewer clusters than a moment before, and none may have been alone for long.
func (s *scene) wantUndisturbed(t *testing.T) {
	t.Helper()
	awaitMore(t, s.traffic, 500) // what comes late counts too
	sent := s.traffic.cut(t)
	t.Logf("%d of %d requests lost", sent.Failed, sent.Requests)
	if sent.Failed > 0 {
		t.Errorf("%d of %d requests lost, want none: %+v", sent.Failed, sent.Requests, sent.Failures)
	}
	for _, sampler := range s.samplers {
		seen := sampler.cut(t)
		t.Logf("%s: %d samples, at most %v apart, %d clusters, at most %v without a stream",
			sampler.name, seen.Samples, seen.LongestGap, len(seen.Now), seen.Alone)
		if losses := s.mistaken(seen); len(losses) > 0 {
			t.Errorf("%s: clusters were lost: %+v", sampler.name, losses)
		}
		if seen.Lost > len(seen.Losses) {
			t.Errorf("%s: clusters went in %d samples, more than are listed", sampler.name, seen.Lost)
		}
		if seen.Alone > aloneAtMost {
			t.Errorf("%s: %v without a stream, want at most %v", sampler.name, seen.Alone, aloneAtMost)
		}
		if seen.Samples == 0 || seen.Unanswered > 0 || seen.LongestGap > time.Second {
			t.Errorf("%s: %d samples, at most %v apart, %d unanswered; too few to be sure of anything",
				sampler.name, seen.Samples, seen.LongestGap, seen.Unanswered)
		}
	}
}

// mistaken returns the listed losses that no change has asked for: the clusters that
// the moving route has left are to go.
func (s *scene) mistaken(seen record.Envoy) (losses []record.Loss) {
	for _, loss := range seen.Losses {
		loss.Names = slices.DeleteFunc(loss.Names, func(cluster string) bool {
			return strings.HasPrefix(cluster, s.namespace+"/moving-")
		})
		if len(loss.Names) > 0 {
			losses = append(losses, loss)
		}
	}
	return losses
}
