package kubernetes

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// crdReader answers for one CRD.
type crdReader struct {
	client.Reader
	asked  atomic.Int64
	answer atomic.Pointer[func(o client.Object) error]
}

func newCRDReader(answer func(client.Object) error) *crdReader {
	c := &crdReader{}
	c.answer.Store(&answer)
	return c
}

func (c *crdReader) Get(_ context.Context, key client.ObjectKey, o client.Object, _ ...client.GetOption) error {
	c.asked.Add(1)
	if key.Name != "httproutes.gateway.networking.k8s.io" || o.GetObjectKind().GroupVersionKind().Kind != "CustomResourceDefinition" {
		return errors.New("this is another question: " + key.String())
	}
	return (*c.answer.Load())(o)
}

var crds = schema.GroupResource{Group: apiextensions.Group, Resource: "customresourcedefinitions"}

// What the API server may say of a CRD.
var (
	stays = func(client.Object) error { return nil }
	goes  = func(o client.Object) error { now := metav1.Now(); o.SetDeletionTimestamp(&now); return nil }
	gone  = func(client.Object) error { return apierrors.NewNotFound(crds, "x") }
	mute  = func(client.Object) error { return apierrors.NewForbidden(crds, "x", errors.New("no")) }
	down  = func(client.Object) error { return errors.New("refused") }
)

// routesRig is a rig whose HTTPRoutes a, b and c are known, and whose CRD
// gives that answer.
func routesRig(t *testing.T, answer func(client.Object) error) (*rig, *crdReader) {
	t.Helper()
	reader := newCRDReader(answer)
	r := newRig(t, watching, func(m *maker) { m.live = reader })
	ok(t, r.routes.Replace(list(route("a", 1), route("b", 2), route("c", 3)), "3"))
	ended := make(chan struct{})
	go func() { defer close(ended); r.routes.confirmDeletes(r.ctx) }()
	t.Cleanup(func() { r.stop(); <-ended })
	synctest.Wait()
	return r, reader
}

// Before a CRD goes, the API server deletes its objects. These deletes are not
// believed; those of a user are.
func TestDeletesAndTheCRD(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer func(client.Object) error
		want   string // the routes that are left
	}{
		{"it stays", stays, "c"},
		{"it is being deleted", goes, "a b c"},
		{"it is gone", gone, "a b c"},
		{"we may not ask", mute, "c"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, _ := routesRig(t, test.answer)
				ok(t, r.routes.Delete(route("a", 4)))
				ok(t, r.routes.Delete(route("b", 5)))
				synctest.Wait()
				if got := names(r.routes); got != test.want {
					t.Errorf("routes %q are left, want %q", got, test.want)
				}
			})
		})
	}
}

// What a list, read again, does not hold is doubtful in the same way.
func TestRelistAndTheCRD(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, reader := routesRig(t, goes)
		ok(t, r.routes.Replace(nil, "4"))
		synctest.Wait()
		if got := names(r.routes); got != "a b c" {
			t.Errorf("routes %q are left while the CRD goes", got)
		}
		reader.answer.Store(&stays) // it was installed again
		ok(t, r.routes.Replace(list(route("b", 7)), "8"))
		synctest.Wait()
		if got := names(r.routes); got != "b" {
			t.Errorf("routes %q are left after the CRD was installed again, want b", got)
		}
	})
}

// The question is asked until it is answered.
func TestAPIServerDownDuringDeletes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, reader := routesRig(t, down)
		ok(t, r.routes.Delete(route("a", 4)))
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := names(r.routes); got != "a b c" || reader.asked.Load() < 5 {
			t.Errorf("routes %q are left after a minute and %d questions", got, reader.asked.Load())
		}
		reader.answer.Store(&stays)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if got := names(r.routes); got != "b c" {
			t.Errorf("routes %q are left 10 s after the repair, want b c", got)
		}
	})
}

// An object that comes back while the question is open stays, whatever the
// answer; and if it goes once more that is another question.
func TestObjectComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answers := make(chan error)
		r, reader := routesRig(t, func(client.Object) error { return <-answers })
		ok(t, r.routes.Delete(route("a", 4)))
		ok(t, r.routes.Delete(route("b", 5)))
		synctest.Wait()
		ok(t, r.routes.Add(route("a", 6)))
		ok(t, r.routes.Add(route("b", 7)))
		ok(t, r.routes.Delete(route("b", 8)))
		answers <- nil
		synctest.Wait()
		if got := names(r.routes); got != "a b c" {
			t.Errorf("routes %q are left: an answer counts for a later delete", got)
		}
		answers <- nil
		synctest.Wait()
		if got := names(r.routes); got != "a c" || reader.asked.Load() != 2 {
			t.Errorf("routes %q are left after %d questions, want a c after 2", got, reader.asked.Load())
		}
	})
}

// While an optional CRD is not installed there are known to be no objects. When
// it comes, its objects enter whole; when it goes, they stay.
func TestOptionalCRD(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		missing := refuse(http.StatusNotFound, metav1.StatusReasonNotFound, "the server could not find the requested resource")
		r := newRig(t, missing, func(m *maker) { m.optional, m.live = []string{"httproutes"}, newCRDReader(gone) })
		seen := follow(r.routes)
		r.start(t, r.routes)
		told := r.heard()
		if !r.routes.synced.HasSynced() || told[len(told)-1] != "httproutes waiting: optional and not installed: counts as empty" {
			t.Errorf("synced: %v, told %q", r.routes.synced.HasSynced(), told)
		}
		for _, text := range told {
			if strings.Contains(text, "failed") {
				t.Errorf("told %q", text)
			}
		}
		s := newStream()
		r.answers(func(*http.Request, bool) (*http.Response, error) {
			return s.answer(route("", 3), route("a", 1), route("b", 2))
		})
		time.Sleep(10 * time.Second)
		same(t, "batches after its arrival", []string{"add a@1, add b@2"}, seen.got())
		if told := r.heard(); told[len(told)-1] != "httproutes works" {
			t.Errorf("told after its arrival: %q", told)
		}
		r.answers(missing)
		s.end()
		time.Sleep(10 * time.Second)
		same(t, "batches after its end", nil, seen.got())
		const want = "httproutes failed: CRD httproutes.gateway.networking.k8s.io is not installed: the server could not find the requested resource"
		if told := r.heard(); told[len(told)-1] != want {
			t.Errorf("told after its end: %q, want %q", told, want)
		}
	})
}

// Without a required CRD it does not sync, and says what is missing.
func TestRequiredCRD(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, refuse(http.StatusNotFound, metav1.StatusReasonNotFound, "could not find it"), func(m *maker) {
			m.optional, m.live = []string{"gateways"}, newCRDReader(gone)
		})
		r.start(t, r.routes)
		if told := r.heard(); told[0] != "httproutes failed: CRD httproutes.gateway.networking.k8s.io is not installed: could not find it" {
			t.Errorf("told %q", told)
		}
		time.Sleep(time.Minute)
		if r.routes.synced.HasSynced() {
			t.Error("it has synced")
		}
		s := newStream()
		r.answers(func(*http.Request, bool) (*http.Response, error) { return s.answer(route("", 1)) })
		time.Sleep(10 * time.Second)
		if !r.routes.synced.HasSynced() {
			t.Error("10 s after the CRD was installed it has not synced")
		}
	})
}

// What is no CRD is not optional, and its deletes are believed at once.
func TestBuiltInResources(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, watching, unchanged)
		ok(t, r.services.Replace(list(service("a", 1)), "1"))
		ok(t, r.services.Delete(service("a", 2)))
		if got := names(r.services); got != "" {
			t.Errorf("services %q are left", got)
		}
		r.heard()
		r.services.failed(apierrors.NewNotFound(schema.GroupResource{Resource: "services"}, ""))
		if told := r.heard(); len(told) != 1 || strings.Contains(told[0], "CRD") {
			t.Errorf("told %q", told)
		}
	})
}
