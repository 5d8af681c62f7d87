package cluster

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// readyPods waits until a Deployment has rolled out, and returns its pods.
func (k *kube) readyPods(t *testing.T, app string) []corev1.Pod {
	t.Helper()
	k.awaitRollout(t, app)
	return slices.DeleteFunc(k.podsOf(t, app), func(pod corev1.Pod) bool { return !isReady(&pod) })
}

// podsOf returns all pods of a release.
func (k *kube) podsOf(t *testing.T, release string) []corev1.Pod {
	t.Helper()
	pods := new(corev1.PodList)
	if err := k.client.List(t.Context(), pods, client.InNamespace(k.namespace), client.MatchingLabels{instance: release}); err != nil {
		t.Fatal(err)
	}
	return pods.Items
}

// isReady tells whether a pod is in service, and stays there.
func isReady(pod *corev1.Pod) bool {
	if pod.DeletionTimestamp != nil {
		return false
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// awaitGone waits until the pods of a Deployment that are to end have ended.
func (k *kube) awaitGone(t *testing.T, app string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	pods := new(corev1.PodList)
	of := []client.ListOption{client.InNamespace(k.namespace), client.MatchingLabels{instance: app}}
	if err := k.client.List(ctx, pods, of...); err != nil {
		t.Fatal(err)
	}
	ending := make(map[string]bool)
	for _, pod := range pods.Items {
		if pod.DeletionTimestamp != nil {
			ending[pod.Name] = true
		}
	}
	if len(ending) == 0 {
		return
	}
	since := &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: pods.ResourceVersion}}
	err := k.watch(ctx, &corev1.PodList{}, func(event watch.Event) bool {
		if pod, ok := event.Object.(*corev1.Pod); ok && event.Type == watch.Deleted {
			delete(ending, pod.Name)
		}
		return len(ending) == 0
	}, append([]client.ListOption{since}, of...)...)
	if err != nil {
		t.Fatalf("pods %v do not end: %v", ending, err)
	}
}

// forward returns a local URL that leads to a port of a pod until the test ends.
func (k *kube) forward(t *testing.T, pod string, port int) (url string) {
	t.Helper()
	transport, upgrader, err := spdy.RoundTripperFor(k.config)
	if err != nil {
		t.Fatal(err)
	}
	target := k.pods.CoreV1().RESTClient().Post().Resource("pods").Namespace(k.namespace).
		Name(pod).SubResource("portforward").URL()
	dialer := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, target)
	stop, ready, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	forwarder, err := portforward.New(dialer, []string{fmt.Sprintf("0:%d", port)}, stop, ready, io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var failed error // set before ended is closed
	go func() {
		defer close(ended)
		failed = forwarder.ForwardPorts()
	}()
	t.Cleanup(func() {
		close(stop)
		<-ended
	})
	select {
	case <-ready:
	case <-ended:
		t.Fatalf("port %d of pod %s: %v", port, pod, failed)
	}
	ports, err := forwarder.GetPorts()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("http://127.0.0.1:%d", ports[0].Local)
}

// ask sends a request to a forwarded port until it is answered with 200, and
// returns the answer: the program behind the port may not listen yet.
func ask(t *testing.T, method, url string) (body []byte) {
	t.Helper()
	poll(t, method+" "+url+" is answered", func() (err error) {
		body, err = tryAsk(t.Context(), method, url)
		return err
	})
	return body
}

// poll calls a function until it returns nil; what says what that means. It is for
// what sends no event.
func poll(t *testing.T, what string, missing func() error) {
	t.Helper()
	deadline := time.After(limit)
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := missing()
		if err == nil {
			return
		}
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("not within %v: %s: %v", limit, what, err)
		}
	}
}

func tryAsk(ctx context.Context, method, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return nil, err
	}
	request.Close = true // leave no idle connection behind
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, body)
	}
	return body, err
}

// logLine is a line of the control plane's log, as far as tests look at it.
type logLine struct {
	Time    time.Time `json:"time"`
	Message string    `json:"msg"`
	To      string    `json:"to"`      // of a transition of the phase
	Group   string    `json:"group"`   // of a snapshot
	Changes string    `json:"changes"` // of a snapshot: "2 clusters added, 1 listener added"
}

// awaitLog follows the log of a pod until a line is as wanted; what says how.
func (k *kube) awaitLog(t *testing.T, pod, what string, holds func(logLine) bool) logLine {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	stream, err := k.pods.CoreV1().Pods(k.namespace).GetLogs(pod, &corev1.PodLogOptions{Follow: true}).Stream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	lines := bufio.NewScanner(stream)
	for lines.Scan() {
		var line logLine
		if json.Unmarshal(lines.Bytes(), &line) == nil && holds(line) {
			return line
		}
	}
	t.Fatalf("the log of pod %s ends (%v) without %s", pod, lines.Err(), what)
	return logLine{}
}

// logPods logs what the pods of a failed test have to say.
func (k *kube) logPods(ctx context.Context, t *testing.T) {
	t.Helper()
	pods := new(corev1.PodList)
	if err := k.client.List(ctx, pods, client.InNamespace(k.namespace)); err != nil {
		t.Log(err)
		return
	}
	lines := int64(60)
	for _, pod := range pods.Items {
		for _, container := range pod.Spec.Containers {
			text, err := k.pods.CoreV1().Pods(k.namespace).GetLogs(pod.Name,
				&corev1.PodLogOptions{Container: container.Name, TailLines: &lines}).DoRaw(ctx)
			t.Logf("pod %s, %s, container %s (error: %v):\n%s", pod.Name, pod.Status.Phase, container.Name, err, text)
		}
	}
}
