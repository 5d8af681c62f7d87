package kubernetes

import (
	"testing"
	"testing/synctest"
	"time"

	"istio.io/istio/pkg/kube/krt"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/gatewayapi"
)

// The newest change is that of an object or of an event; a bookmark and a list move
// only what is reached. Of objects that a list has no longer, that they have gone is
// a change of that list.
func TestWatermark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, watching, unchanged)
		want := func(when, changed, reached string) {
			t.Helper()
			c, to := r.services.watermark()
			same(t, when+": changed, reached", []string{changed, reached}, []string{c, to})
		}
		want("before the first list", "", "")
		ok(t, r.services.Replace(nil, "8"))
		want("an empty list", "", "8")
		ok(t, r.services.Replace(list(service("a", 9), service("b", 11), service("c", 10)), "20"))
		want("a list", "11", "20")
		r.services.UpdateResourceVersion("30")
		want("a bookmark", "11", "30")
		ok(t, r.services.Update(service("a", 31)))
		r.services.UpdateResourceVersion("31")
		want("an event", "31", "31")
		ok(t, r.services.Delete(service("b", 32)))
		want("a delete", "32", "31")
		odd := service("a", 0)
		odd.ResourceVersion = "abc"
		ok(t, r.services.Update(odd))
		want("a version that is no number", "32", "31")
		ok(t, r.services.Replace(list(service("a", 31)), "40"))
		want("a list that lacks an object", "40", "40")
	})
}

// Resource versions belong to a cluster, which has no better name than this UID.
func TestWatermarksNameTheCluster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Source{inputs: newRig(t, watching, unchanged).inputs}
		ok(t, s.inputs.namespaces.Replace(list(&corev1.Namespace{
			ObjectMeta: metav1.ObjectMeta{Name: "kube-system", UID: "7", ResourceVersion: "3"},
		}), "5"))
		for _, w := range s.Watermarks() {
			if w.Cluster != "7" {
				t.Errorf("%s is of cluster %q, want 7", w.Resource, w.Cluster)
			}
			if w.Resource == "namespaces" && (w.Changed != "3" || w.Reached != "5") {
				t.Errorf("namespaces: changed %q, reached %q, want 3 and 5", w.Changed, w.Reached)
			}
		}
	})
}

// A delete that is not believed yet keeps the source from being settled: what is
// computed meanwhile still has the object.
func TestDoubtfulDeleteIsNotCertain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, reader := routesRig(t, down)
		ok(t, r.routes.Delete(route("a", 4)))
		synctest.Wait()
		if r.routes.certain() {
			t.Error("certain while the API server does not tell of the CRD")
		}
		reader.answer.Store(&stays)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if !r.routes.certain() {
			t.Error("not certain though the delete was believed")
		}
	})
}

func TestSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.tell()
		if !s.Settled() {
			t.Error("not settled though krt is idle")
		}
	})
}

// What derives has followed when it has these objects, in these generations, and
// no others.
func TestFollowed(t *testing.T) {
	compiled := func(name string, generation int64) *gatewayapi.Route {
		object := &gatewayv1.HTTPRoute{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, Generation: generation}}
		return &gatewayapi.Route{Object: object}
	}
	type routes = []*gatewayapi.Route
	collection := krt.NewStaticCollection[*gatewayapi.Route](nil, routes{compiled("a", 1), compiled("b", 2)}, krt.WithStop(t.Context().Done()))
	for name, test := range map[string]struct {
		wanted routes
		want   bool
	}{
		"these":         {routes{compiled("b", 2), compiled("a", 1)}, true},
		"one is newer":  {routes{compiled("b", 3), compiled("a", 1)}, false},
		"one more":      {routes{compiled("b", 2), compiled("a", 1), compiled("c", 1)}, false},
		"one has gone":  {routes{compiled("b", 2)}, false},
		"one for other": {routes{compiled("b", 2), compiled("c", 1)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := followed(collection, test.wanted); got != test.want {
				t.Errorf("followed = %v, want %v", got, test.want)
			}
		})
	}
}

// The first update shows all that there is, whether or not the handlers of krt have
// told of it yet: a replica that has just caught up must not leave out the newest.
func TestFirstUpdateNeedsNoEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.tell()
		s.changes.take() // as if they were still on their way
		_, groups := s.take()
		same(t, "groups", []string{"shop/g0", "shop/g1"}, groups)
	})
}
