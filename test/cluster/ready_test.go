package cluster

import (
	"fmt"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// manyServices is how many Services exist before the control plane starts.
const manyServices = 3000

// A replica that is started among many Services is in its own Service only when it
// has a snapshot with all of them.
func TestNotReadyBeforeFirstSnapshot(t *testing.T) {
	k := newKube(t)
	createManyServices(t, k)
	k.installControlPlane(t, controlPlaneOptions{replicas: 1})
	inService, pod := awaitInService(t, k)

	first := k.awaitLog(t, pod, "a snapshot", func(line logLine) bool { return line.Message == "snapshot stored" })
	ready := k.awaitLog(t, pod, "readiness", func(line logLine) bool { return line.To == "ready" })
	t.Logf("snapshot stored %v before the replica was ready, and that %v before its EndpointSlice",
		ready.Time.Sub(first.Time), inService.Sub(ready.Time))
	if clusters := clustersAdded(first); clusters != manyServices {
		t.Errorf("the first snapshot has %d clusters, want %d: %q", clusters, manyServices, first.Changes)
	}
	if ready.Time.Before(first.Time) {
		t.Errorf("ready at %v, before the first snapshot at %v", ready.Time, first.Time)
	}
	if inService.Before(ready.Time) {
		t.Errorf("in its EndpointSlice at %v, before it was ready at %v", inService, ready.Time)
	}
}

// Without the gate the kubelet puts it there at once. This is the proof that the
// test above would see it.
func TestReadyTooEarlyWithoutGate(t *testing.T) {
	k := newKube(t)
	createManyServices(t, k)
	k.installControlPlane(t, controlPlaneOptions{
		image: testingImage, replicas: 1,
		arguments: []string{"--test-no-gate", "--test-input-delay=services=20s"},
	})
	inService, pod := awaitInService(t, k)

	full := k.awaitLog(t, pod, "a full snapshot", func(line logLine) bool {
		return line.Message == "snapshot stored" && clustersAdded(line) == manyServices
	})
	if !inService.Before(full.Time) {
		t.Errorf("in its EndpointSlice at %v, after its full snapshot at %v: the test sees nothing", inService, full.Time)
	}
}

// awaitInService watches the EndpointSlices of the control plane's Service until a
// replica is ready there, and returns when that was seen, and the pod.
func awaitInService(t *testing.T, k *kube) (at time.Time, pod string) {
	t.Helper()
	await(t, k, &discoveryv1.EndpointSliceList{}, "with a ready endpoint", func(slice *discoveryv1.EndpointSlice) bool {
		for _, endpoint := range slice.Endpoints {
			if ready := endpoint.Conditions.Ready; ready != nil && *ready && endpoint.TargetRef != nil {
				at, pod = time.Now(), endpoint.TargetRef.Name
				return true
			}
		}
		return false
	}, client.MatchingLabels{discoveryv1.LabelServiceName: controlPlane})
	return at, pod
}

var clusters = regexp.MustCompile(`(\d+) clusters? added`)

// clustersAdded is how many clusters a stored snapshot has added.
func clustersAdded(line logLine) int {
	match := clusters.FindStringSubmatch(line.Changes)
	if match == nil {
		return 0
	}
	number, _ := strconv.Atoi(match[1])
	return number
}

// createManyServices makes a Gateway with routes to manyServices Services.
func createManyServices(t *testing.T, k *kube) {
	t.Helper()
	names := make(chan string, manyServices)
	for i := range manyServices {
		names <- fmt.Sprintf("service-%d", i)
	}
	close(names)
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for name := range names {
				// Headless, since kube-proxy has nothing to do with what is tested.
				service := &corev1.Service{
					ObjectMeta: metav1.ObjectMeta{Namespace: k.namespace, Name: name},
					Spec:       corev1.ServiceSpec{ClusterIP: corev1.ClusterIPNone, Ports: []corev1.ServicePort{{Port: 80}}},
				}
				if err := k.client.Create(t.Context(), service); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	workers.Wait()
	k.apply(t, gatewayManifest, nil)
	for first := 0; first < manyServices; first += servicesPerRoute {
		k.apply(t, manyRoutesManifest, map[string]any{"First": first, "Rules": rules(first)})
	}
}

// The most that the Gateway API lets into one HTTPRoute.
const (
	rulesPerRoute    = 16
	backendsPerRule  = 16
	servicesPerRoute = rulesPerRoute * backendsPerRule
)

// rules are those of an HTTPRoute to the Services from a first one on: for each
// rule the numbers of its Services.
func rules(first int) [][]int {
	var rules [][]int
	for rule := first; rule < min(first+servicesPerRoute, manyServices); rule += backendsPerRule {
		var backends []int
		for backend := rule; backend < min(rule+backendsPerRule, manyServices); backend++ {
			backends = append(backends, backend)
		}
		rules = append(rules, backends)
	}
	return rules
}

const manyRoutesManifest = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: route-{{.First}}}
spec:
  parentRefs: [{name: edge}]
  rules:
{{- range .Rules}}
    - matches: [{path: {type: PathPrefix, value: /{{index . 0}}}}]
      backendRefs:
{{- range .}}
        - {name: service-{{.}}, port: 80}
{{- end}}
{{- end}}
`
