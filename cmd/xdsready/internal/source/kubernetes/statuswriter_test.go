package kubernetes

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// writing is a scene whose API server keeps the statuses that are written.
type writing struct {
	*scene
	api     client.Client
	patches atomic.Int64
	refuse  atomic.Bool // patches fail
}

// newWriting has the route shop/r of shop/g0, and a writer of statuses.
func newWriting(t *testing.T) *writing {
	t.Helper()
	w := &writing{scene: newScene(t)}
	w.api = fake.NewClientBuilder().WithScheme(scheme).
		WithStatusSubresource(&gatewayv1.GatewayClass{}, &gatewayv1.Gateway{}, &gatewayv1.HTTPRoute{}).
		WithInterceptorFuncs(interceptor.Funcs{SubResourcePatch: func(ctx context.Context, c client.Client, sub string,
			o client.Object, patch client.Patch, options ...client.SubResourcePatchOption,
		) error {
			w.patches.Add(1)
			if w.refuse.Load() {
				return errors.New("the API server is busy")
			}
			return c.SubResource(sub).Patch(ctx, o, patch, options...)
		}}).Build()
	w.Source.live = w.api
	w.route("r", "g0", 0, target{shopA, 80})
	w.tell()
	create(w, w.inputs.classes, &gatewayv1.GatewayClass{ObjectMeta: metav1.ObjectMeta{Name: "ours", Generation: 3}, Spec: gatewayv1.GatewayClassSpec{ControllerName: DefaultController}})
	for _, o := range w.inputs.gateways.objects.List() {
		create(w, w.inputs.gateways, o.DeepCopy())
	}
	for _, o := range w.inputs.routes.objects.List() {
		create(w, w.inputs.routes, o.DeepCopy())
	}
	w.take()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- w.write(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("write: %v", err)
		}
	})
	synctest.Wait()
	return w
}

// create creates an object in the API server and tells the input.
func create[T object](w *writing, in *input[T], o T) {
	w.t.Helper()
	o.SetResourceVersion("")
	if err := w.api.Create(w.t.Context(), o); err != nil {
		w.t.Fatal(err)
	}
	arrive(w, in, o)
}

// arrive has the watch tell the newest state of an object.
func arrive[T object](w *writing, in *input[T], o T) {
	w.t.Helper()
	if err := w.api.Get(w.t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
		w.t.Fatal(err)
	}
	in.objects.UpdateObject(o)
	synctest.Wait()
}

func (w *writing) gateway(name string) *gatewayv1.Gateway {
	w.t.Helper()
	g := &gatewayv1.Gateway{}
	ok(w.t, w.api.Get(w.t.Context(), types.NamespacedName{Namespace: "shop", Name: name}, g))
	return g
}

func (w *writing) httpRoute() *gatewayv1.HTTPRoute {
	w.t.Helper()
	r := &gatewayv1.HTTPRoute{}
	ok(w.t, w.api.Get(w.t.Context(), types.NamespacedName{Namespace: "shop", Name: "r"}, r))
	return r
}

// accepted returns the generation for which a condition Accepted is true, -1 if
// it is not.
func accepted(conditions []metav1.Condition) int64 {
	c := meta.FindStatusCondition(conditions, "Accepted")
	if c == nil || c.Status != metav1.ConditionTrue || c.LastTransitionTime.IsZero() {
		return -1
	}
	return c.ObservedGeneration
}

func TestStatusIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWriting(t)
		class := &gatewayv1.GatewayClass{}
		ok(t, w.api.Get(t.Context(), types.NamespacedName{Name: "ours"}, class))
		if g := accepted(class.Status.Conditions); g != 3 {
			t.Errorf("the class is accepted for generation %d, want 3", g)
		}
		for _, name := range someGateways {
			if g := accepted(w.gateway(name).Status.Conditions); g != 1 || len(w.gateway(name).Status.Listeners) != 1 {
				t.Errorf("%s is accepted for generation %d, want 1, with its listener", name, g)
			}
		}
		parents := w.httpRoute().Status.Parents
		if len(parents) != 1 || parents[0].ControllerName != DefaultController || accepted(parents[0].Conditions) != 1 {
			t.Errorf("parents of the route: %+v", parents)
		}
		if n := w.patches.Load(); n != 4 {
			t.Errorf("%d patches for 4 objects", n)
		}
	})
}

// What is written already is not written again, by whatever replica.
func TestStatusIsWrittenOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWriting(t)
		for _, name := range someGateways {
			arrive(w, w.inputs.gateways, w.gateway(name))
		}
		arrive(w, w.inputs.routes, w.httpRoute())
		arrive(w, w.inputs.classes, &gatewayv1.GatewayClass{ObjectMeta: metav1.ObjectMeta{Name: "ours"}})
		before := w.patches.Load()
		w.take()
		w.statuses.markAll()
		time.Sleep(time.Minute)
		if n := w.patches.Load() - before; n != 0 {
			t.Errorf("%d patches that change nothing", n)
		}
	})
}

// A write that fails, or whose object has changed meanwhile, is tried again.
func TestStatusIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWriting(t)
		for _, name := range someGateways {
			arrive(w, w.inputs.gateways, w.gateway(name))
		}
		g := w.gateway("g0")
		g.Labels = map[string]string{"a": "b"} // a change that has not arrived
		ok(t, w.api.Update(t.Context(), g))
		changed := w.gateway("g0")
		changed.Generation = 2
		w.inputs.gateways.objects.UpdateObject(func() *gatewayv1.Gateway {
			late := changed.DeepCopy()
			late.ResourceVersion = "1"
			return late
		}())
		synctest.Wait()
		w.take()
		time.Sleep(time.Minute)
		if got := accepted(w.gateway("g0").Status.Conditions); got != 1 {
			t.Errorf("accepted for generation %d by a copy that is too old", got)
		}
		w.refuse.Store(true)
		w.inputs.gateways.objects.UpdateObject(changed)
		time.Sleep(time.Minute)
		w.refuse.Store(false)
		time.Sleep(2 * writeRetry)
		synctest.Wait()
		if got := accepted(w.gateway("g0").Status.Conditions); got != 2 {
			t.Errorf("accepted for generation %d, want 2 after the repair", got)
		}
	})
}

// A route that was deleted and created between two looks has no status, though
// nothing new is to be said of it.
func TestStatusOfARecreatedRoute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWriting(t)
		r := w.httpRoute()
		ok(t, w.api.Delete(t.Context(), r))
		r.UID, r.Status = "another", gatewayv1.HTTPRouteStatus{}
		create(w, w.inputs.routes, r)
		w.take()
		synctest.Wait()
		if n := len(w.httpRoute().Status.Parents); n != 1 {
			t.Errorf("%d parents in the status of the new route, want 1", n)
		}
	})
}

// So has a Gateway.
func TestStatusOfARecreatedGateway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWriting(t)
		g := w.gateway("g0")
		ok(t, w.api.Delete(t.Context(), g))
		g.UID, g.Status = "another", gatewayv1.GatewayStatus{}
		create(w, w.inputs.gateways, g)
		w.take()
		synctest.Wait()
		if n := accepted(w.gateway("g0").Status.Conditions); n != 1 {
			t.Errorf("the new Gateway is accepted for generation %d, want 1", n)
		}
	})
}

// A Gateway that went to another controller while a write was failing is left
// alone; our word on its routes is taken back.
func TestStatusOfAGatewayThatLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWriting(t)
		arrive(w, w.inputs.routes, w.httpRoute())
		w.refuse.Store(true)
		w.statuses.again(statusOf{"Gateway", types.NamespacedName{Namespace: "shop", Name: "g0"}})
		g := w.gateway("g0")
		g.Spec.GatewayClassName, g.Generation = "theirs", 2
		ok(t, w.api.Update(t.Context(), g))
		g.Status.Listeners[0].AttachedRoutes = 7
		ok(t, w.api.Status().Update(t.Context(), g))
		arrive(w, w.inputs.gateways, g)
		w.take()
		w.refuse.Store(false)
		time.Sleep(time.Minute)
		if l := w.gateway("g0").Status.Listeners; len(l) != 1 || l[0].AttachedRoutes != 7 {
			t.Errorf("listeners in the status of another controller's Gateway: %+v", l)
		}
		if n := len(w.httpRoute().Status.Parents); n != 0 {
			t.Errorf("%d parents of ours are left", n)
		}
	})
}

// Objects that are gone are no fault.
func TestStatusOfWhatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWriting(t)
		before := w.patches.Load()
		ok(t, w.api.Delete(t.Context(), w.gateway("g0"))) // the watch is late
		w.inputs.gateways.objects.DeleteObject("shop/g1")
		for _, name := range []string{"g0", "g1"} {
			w.statuses.again(statusOf{"Gateway", types.NamespacedName{Namespace: "shop", Name: name}})
		}
		time.Sleep(time.Minute)
		if n := w.patches.Load() - before; n != 1 {
			t.Errorf("%d patches, want 1, of what is not known to be gone", n)
		}
	})
}
