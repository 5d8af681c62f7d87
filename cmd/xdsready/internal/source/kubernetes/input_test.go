package kubernetes

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"istio.io/istio/pkg/kube/krt"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// batches records what a krt handler of an input gets, a batch a line.
type batches struct {
	mu   sync.Mutex
	list []string
}

func follow[T object](in *input[T]) *batches {
	b := &batches{}
	in.objects.RegisterBatch(func(events []krt.Event[T]) {
		var texts []string
		for _, e := range events {
			texts = append(texts, fmt.Sprintf("%s %s@%s", e.Event, e.Latest().GetName(), e.Latest().GetResourceVersion()))
		}
		slices.Sort(texts)
		b.mu.Lock()
		defer b.mu.Unlock()
		b.list = append(b.list, strings.Join(texts, ", "))
	}, true)
	return b
}

// got returns the batches since the last call.
func (b *batches) got() []string {
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.list
	b.list = nil
	return list
}

func list[T object](objects ...T) []any {
	var all []any
	for _, o := range objects {
		all = append(all, o)
	}
	return all
}

// ok fails the test for an error of a call that has none to return.
func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// The first list enters whole: no handler sees a part of it, and it has synced
// only then.
func TestFirstListEntersWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStream()
		r := newRig(t, func(*http.Request, bool) (*http.Response, error) { return respond(http.StatusOK, s) }, unchanged)
		seen := follow(r.services)
		r.start(t, r.services)
		s.send("ADDED", service("a", 1))
		s.send("ADDED", service("b", 2))
		time.Sleep(time.Hour)
		same(t, "batches before the end of the list", nil, seen.got())
		if r.services.synced.HasSynced() || r.services.objects.HasSynced() {
			t.Error("it has synced before the end of the list")
		}
		bookmark := service("", 3)
		bookmark.Annotations = map[string]string{metav1.InitialEventsAnnotationKey: "true"}
		s.send("BOOKMARK", bookmark)
		same(t, "batches of the list", []string{"add a@1, add b@2"}, seen.got())
		if !r.services.objects.HasSynced() {
			t.Error("it has not synced")
		}
		s.send("ADDED", service("c", 4))
		s.send("MODIFIED", service("a", 5))
		s.send("DELETED", service("b", 6))
		same(t, "batches of the watch", []string{"add c@4", "update a@5", "delete b@2"}, seen.got())
	})
}

// A list that was read again, after a watch was lost, changes what differs. An
// empty list is one too.
func TestRelistMerges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, watching, unchanged)
		seen := follow(r.services)
		ok(t, r.services.Replace(nil, "1"))
		if !r.services.synced.HasSynced() {
			t.Error("an empty list does not sync")
		}
		ok(t, r.services.Replace(list(service("a", 1), service("b", 2), service("c", 3)), "4"))
		same(t, "batches of what came", []string{"add a@1", "add b@2", "add c@3"}, seen.got())
		ok(t, r.services.Replace(list(service("a", 1), service("b", 5), service("d", 6)), "7"))
		got := seen.got()
		slices.Sort(got)
		same(t, "batches of what changed", []string{"add d@6", "delete c@3", "update b@5"}, got)
	})
}

// A remark on what it waits for ends with the first list; a list that was read
// again does not prove that the watch works.
func TestRemarksOfLists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, watching, unchanged)
		ok(t, r.services.Replace(nil, "1"))
		same(t, "told of the first list", []string{"services waiting:"}, r.heard())
		ok(t, r.services.Replace(nil, "2"))
		same(t, "told of the second list", nil, r.heard())
	})
}

// What nobody reads is dropped; the annotations of Gateway API objects are kept.
func TestWhatIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, watching, unchanged)
		slice := &discoveryv1.EndpointSlice{ObjectMeta: service("s", 1).ObjectMeta}
		ok(t, r.services.Add(service("a", 1)))
		ok(t, r.slices.Add(slice))
		kept := route("r", 1)
		kept.ObjectMeta = service("r", 1).ObjectMeta
		ok(t, r.routes.Update(kept))
		var annotated []string
		for _, o := range []object{
			*r.services.objects.GetKey("shop/a"), *r.slices.objects.GetKey("shop/s"), *r.routes.objects.GetKey("shop/r"),
		} {
			if len(o.GetManagedFields()) > 0 {
				t.Errorf("%s has managed fields", o.GetName())
			}
			if len(o.GetAnnotations()) > 0 {
				annotated = append(annotated, o.GetName())
			}
		}
		same(t, "objects with annotations", []string{"r"}, annotated)
	})
}

func TestParseCRDs(t *testing.T) {
	got, err := ParseCRDs([]string{"gateways", "referencegrants.gateway.networking.k8s.io"})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "CRDs", []string{"gateways", "referencegrants"}, got)
	for _, bad := range []string{"", "services", "gateways.", "gateways.networking.istio.io", "Gateways"} {
		if _, err := ParseCRDs([]string{"gateways", bad}); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q is none of", bad)) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
