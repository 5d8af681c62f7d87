package kubernetes

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"istio.io/istio/pkg/kube/krt"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// retry is how soon a list or watch that failed is tried again: within 8 s, so
// that a repair (RBAC, a CRD) shows soon. client-go's own goes up to a minute.
var retry = wait.Backoff{Duration: 500 * time.Millisecond, Cap: 4 * time.Second, Steps: 10, Factor: 2, Jitter: 1}

// object is a Kubernetes object.
type object = client.Object

// input is one resource of the API server: a reflector lists and watches it
// into a krt collection. Between the two is no informer with a store and queue
// of its own, so an object is held once and a change is delivered at once; and
// the first list enters the collection whole.
//
//	API server ──requests──▶ reflector ──input──▶ krt collection
type input[T object] struct {
	resource string // as "endpointslices"
	optional bool   // absent from the API server, it counts as known empty
	objects  krt.StaticCollection[T]
	synced   *latch
	requests *requests
	crd      *crd // nil: built in
	strip    func(T)
	doubts   chan struct{} // capacity one: some deletes are doubtful
	report   report
	logger   *slog.Logger

	mu       sync.Mutex     // guards all below, and every change of objects
	doubtful map[string]int // objects whose delete (counted) may only be that of the CRD
	deletes  int
	version  string // the resourceVersion that objects have reached
	newest   string // the resourceVersion of the newest change in them
}

// report is told what an input goes through.
type report struct {
	failed  func(resource string, err error) // nil: it works again
	waiting func(resource, text string)
}

// latch is closed once, and is a krt Syncer.
type latch struct {
	once sync.Once
	done chan struct{}
}

func newLatch() *latch { return &latch{done: make(chan struct{})} }

func (l *latch) close() { l.once.Do(func() { close(l.done) }) }

// HasSynced implements krt.Syncer.
func (l *latch) HasSynced() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

// WaitUntilSynced implements krt.Syncer; false means that stop came first.
func (l *latch) WaitUntilSynced(stop <-chan struct{}) bool {
	select {
	case <-l.done:
		return true
	case <-stop:
		return false
	}
}

// run lists and watches until ctx ends.
func (in *input[T]) run(ctx context.Context) {
	in.requests.failed = in.failed
	in.requests.works = func() { in.report.failed(in.resource, nil) }
	in.requests.waiting = func(text string) { in.report.waiting(in.resource, text) }
	var zero T
	backoff := retry
	reflector := cache.NewReflectorWithOptions(in.requests.listerWatcher(), zero, in, cache.ReflectorOptions{
		Name: in.resource, TypeDescription: in.resource, Backoff: &backoff,
	})
	var running sync.WaitGroup
	defer running.Wait()
	if in.crd != nil {
		running.Go(func() { in.confirmDeletes(ctx) })
	}
	reflector.RunWithContext(ctx)
}

// failed reports an error. The absence of an optional CRD is none but knowledge:
// there are no such objects. Those known from before a CRD's deletion stay.
func (in *input[T]) failed(err error) {
	missing := in.crd != nil && apierrors.IsNotFound(err)
	if missing {
		err = fmt.Errorf("CRD %s is not installed: %w", in.crd.name, err)
	}
	if missing && in.optional && !in.hasRead() {
		in.report.failed(in.resource, nil)
		in.synced.close()
		in.report.waiting(in.resource, "optional and not installed: counts as empty")
		return
	}
	in.report.failed(in.resource, err)
}

// hasRead reports whether objects were ever read.
func (in *input[T]) hasRead() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.version != ""
}

// Replace implements cache.ReflectorStore: a whole list has been read. The
// first one enters the collection in one step.
func (in *input[T]) Replace(list []any, version string) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	objects := make([]T, len(list))
	for i, o := range list {
		objects[i] = in.prepare(o)
		in.noteLocked(objects[i].GetResourceVersion())
	}
	if in.version == "" {
		in.objects.Reset(objects)
		in.report.waiting(in.resource, "") // it waits for its CRD no more
	} else {
		in.merge(objects, version)
	}
	in.version = version
	in.synced.close()
	return nil
}

// merge takes over a list that was read again: what it does not hold has been
// deleted meanwhile.
func (in *input[T]) merge(objects []T, version string) {
	gone := map[string]bool{}
	for _, o := range in.objects.List() {
		gone[krt.GetKey(o)] = true
	}
	for _, o := range objects {
		key := krt.GetKey(o)
		delete(gone, key)
		delete(in.doubtful, key)
		if old := in.objects.GetKey(key); old == nil || (*old).GetResourceVersion() != o.GetResourceVersion() {
			in.objects.UpdateObject(o)
		}
	}
	for key := range gone {
		in.remove(key)
		in.noteLocked(version)
	}
}

// Add implements cache.ReflectorStore.
func (in *input[T]) Add(o any) error { return in.Update(o) }

// Update implements cache.ReflectorStore.
func (in *input[T]) Update(o any) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	prepared := in.prepare(o)
	delete(in.doubtful, krt.GetKey(prepared))
	in.objects.UpdateObject(prepared)
	in.noteLocked(prepared.GetResourceVersion())
	return nil
}

// Delete implements cache.ReflectorStore.
func (in *input[T]) Delete(o any) error {
	key, err := cache.MetaNamespaceKeyFunc(o)
	if err != nil {
		return err
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.remove(key)
	if deleted, ok := o.(object); ok { // its version is that of the delete
		in.noteLocked(deleted.GetResourceVersion())
	}
	return nil
}

// Resync implements cache.ReflectorStore; nothing asks for it.
func (in *input[T]) Resync() error { return nil }

// UpdateResourceVersion implements cache.ResourceVersionUpdater.
func (in *input[T]) UpdateResourceVersion(version string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.version = version
}

// prepare drops what nobody here reads, which for a small object is most of it.
func (in *input[T]) prepare(o any) T {
	prepared, ok := o.(T)
	if !ok {
		panic(fmt.Sprintf("the reflector of %s delivered a %T", in.resource, o)) // it checks the type itself
	}
	prepared.SetManagedFields(nil)
	if in.strip != nil {
		in.strip(prepared)
	}
	return prepared
}
