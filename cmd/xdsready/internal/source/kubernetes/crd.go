package kubernetes

import (
	"context"
	"maps"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// crd is the CustomResourceDefinition of a resource.
type crd struct {
	name string // as "httproutes.gateway.networking.k8s.io"
	live client.Reader
}

// going reports whether the CRD is being deleted or has been. If the API server
// does not tell, because it may not be asked, it is not.
func (c *crd) going(ctx context.Context) (bool, error) {
	found := &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{APIVersion: apiextensions.String(), Kind: "CustomResourceDefinition"}}
	err := c.live.Get(ctx, types.NamespacedName{Name: c.name}, found)
	switch {
	case apierrors.IsNotFound(err):
		return true, nil
	case apierrors.IsForbidden(err):
		return false, nil
	case err != nil:
		return false, err
	}
	return found.DeletionTimestamp != nil, nil
}

// remove deletes an object, or puts that off: to delete a CRD, the API server
// first deletes all objects of its kind, and these deletions look like those of
// a user. Each must not empty the proxies, so one is believed only when the CRD
// was still there after it.
func (in *input[T]) remove(key string) {
	if in.crd == nil {
		in.objects.DeleteObject(key)
		return
	}
	in.deletes++
	in.doubtful[key] = in.deletes
	select {
	case in.doubts <- struct{}{}:
	default:
	}
}

// confirmDeletes works through the doubtful objects until ctx ends. One look at
// the CRD settles all that were deleted before it.
func (in *input[T]) confirmDeletes(ctx context.Context) {
	for {
		select {
		case <-in.doubts:
		case <-ctx.Done():
			return
		}
		in.mu.Lock()
		asked := maps.Clone(in.doubtful)
		in.mu.Unlock()
		going, err := in.crd.going(ctx)
		for backoff := retry; err != nil && ctx.Err() == nil; going, err = in.crd.going(ctx) {
			pause(ctx, backoff.Step())
		}
		if ctx.Err() != nil {
			return
		}
		in.settle(asked, going)
	}
}

// settle deletes what was asked about, or keeps it for good if the CRD goes.
func (in *input[T]) settle(asked map[string]int, going bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	kept := 0
	for key, which := range asked {
		if in.doubtful[key] != which {
			continue // it came back, and may be gone again
		}
		delete(in.doubtful, key)
		if going {
			kept++
			continue
		}
		in.objects.DeleteObject(key)
	}
	if kept > 0 {
		in.logger.Warn("the CRD is being deleted: its last objects stay in use", "resource", in.resource, "objects", kept)
	}
}
