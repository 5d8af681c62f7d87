package kubernetes

import (
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/gatewayapi"
)

// sliceWorld is a World of EndpointSlices that counts how often it is asked.
type sliceWorld struct {
	gatewayapi.World
	slices []*discoveryv1.EndpointSlice
	asked  atomic.Int64
}

// EndpointSlices implements gatewayapi.World.
func (w *sliceWorld) EndpointSlices(types.NamespacedName) []*discoveryv1.EndpointSlice {
	w.asked.Add(1)
	return w.slices
}

// What was made of a Service is made once, until the Service or its slices
// change; then what depends on that is made again.
func TestBackendsAreMadeOnce(t *testing.T) {
	w := &sliceWorld{slices: []*discoveryv1.EndpointSlice{newSlice(shopA, "10.0.0.1")}}
	b := newBackends()
	of := gatewayapi.Backend{Service: newService(shopA, 80, 81), Port: 80}
	get := func(step string, of gatewayapi.Backend, asked int64) *backend {
		t.Helper()
		w.asked.Store(0)
		made, err := b.get(of, w)
		if err != nil {
			t.Fatal(err)
		}
		if got := w.asked.Load(); got != asked {
			t.Errorf("%s: asked for slices %d times, want %d", step, got, asked)
		}
		return made
	}
	first := get("the first time", of, 1)
	if again := get("once more", of, 0); again != first {
		t.Error("it was made again")
	}
	get("another port", gatewayapi.Backend{Service: of.Service, Port: 81}, 1)
	if again := get("after another port", of, 0); again != first {
		t.Error("it was made again for another port")
	}
	w.slices[0] = newSlice(shopA, "10.0.0.2")
	b.dropEndpoints(shopA)
	second := get("after a change of slices", of, 1)
	if second.endpoints.Equal(first.endpoints) || !second.cluster.Equal(first.cluster) {
		t.Error("a change of slices changes the cluster, or not the endpoints")
	}
	h2c := "kubernetes.io/h2c"
	other := newService(shopA, 80)
	other.Spec.Ports[0].AppProtocol = &h2c
	if third := get("another Service object", gatewayapi.Backend{Service: other, Port: 80}, 1); third.cluster.Equal(first.cluster) {
		t.Error("the cluster is that of the Service before")
	}
	b.drop(shopA)
	get("after a change of the Service", of, 1)
	b.keep(func(types.NamespacedName) bool { return false })
	get("after it was not in use", of, 1)
}

// A Service is faulty while the endpoints of any of its ports are.
func TestFaultyBackends(t *testing.T) {
	bad := newSlice(shopA, badAddress)
	w := &sliceWorld{slices: []*discoveryv1.EndpointSlice{bad}}
	b := newBackends()
	service := newService(shopA, 80, 81)
	all := []gatewayapi.Backend{{Service: service, Port: 80}, {Service: service, Port: 81}}
	want := func(step string, faulty bool) {
		t.Helper()
		for _, of := range all {
			if _, err := b.get(of, w); err != nil {
				t.Fatal(err)
			}
			if got := len(b.problems(of)) > 0; got != faulty {
				t.Errorf("%s: port %d has problems: %v", step, of.Port, got)
			}
		}
		if got := b.faulty.has(shopA); got != faulty {
			t.Errorf("%s: the Service is faulty: %v", step, got)
		}
	}
	want("with a bad slice", true)
	w.slices = []*discoveryv1.EndpointSlice{newSlice(shopA, "10.0.0.1")}
	b.dropEndpoints(shopA)
	want("with a good one", false)
	w.slices = []*discoveryv1.EndpointSlice{bad}
	b.dropEndpoints(shopA)
	want("with a bad one again", true)
	b.keep(func(types.NamespacedName) bool { return false })
	if b.faulty.has(shopA) {
		t.Error("a Service that is not in use is faulty")
	}
}

// Many are made as one by one, whatever was there before.
func TestManyBackends(t *testing.T) {
	w := &sliceWorld{slices: []*discoveryv1.EndpointSlice{newSlice(shopA, "10.0.0.1")}}
	service := newService(shopA, 80, 81)
	external := newService(shopB, 80)
	external.Spec.Type, external.Spec.ExternalName = corev1.ServiceTypeExternalName, "example.com"
	all := []gatewayapi.Backend{{Service: service, Port: 80}, {Service: service, Port: 81}, {Service: external, Port: 80}}
	b := newBackends()
	before, err := b.get(all[1], w)
	if err != nil {
		t.Fatal(err)
	}
	made, err := b.getAll(all, w)
	if err != nil {
		t.Fatal(err)
	}
	if made[1] != before {
		t.Error("what was there was made again")
	}
	for i, of := range all {
		one, err := newBackends().remake(of, w)
		if err != nil {
			t.Fatal(err)
		}
		if !one.cluster.Equal(made[i].cluster) || !of.External() && !one.endpoints.Equal(made[i].endpoints) {
			t.Errorf("%s differs from what is made of it alone", of.Name())
		}
		if b.has(of) != made[i] {
			t.Errorf("%s is not remembered", of.Name())
		}
	}
}
