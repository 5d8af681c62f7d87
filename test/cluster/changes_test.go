package cluster

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// steps is how many changes there are until the first one comes again: more than a
// test makes, so that each is a switch to a cluster that Envoy has yet to warm.
const steps = 200

// changeTo are the values of movingManifest and changingManifest in a step.
func changeTo(step int) map[string]any {
	return map[string]any{"Step": step, "Addresses": addresses(step)}
}

func addresses(step int) (list []string) {
	for i := range 1 + step%5 {
		list = append(list, fmt.Sprintf("198.51.100.%d", step+i))
	}
	return list
}

// changer changes the configuration of a scene, once a second.
type changer struct {
	*scene
	objects [steps][]*unstructured.Unstructured
	stop    context.CancelFunc
	done    chan struct{}

	// Set before done is closed.
	made int
	err  error
}

func (s *scene) startChanges(t *testing.T) *changer {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	c := &changer{scene: s, stop: stop, done: make(chan struct{})}
	for step := range steps {
		s.apply(t, movingManifest, changeTo(step))
		c.objects[step] = s.objects(t, changingManifest, changeTo(step))
	}
	s.awaitMoving(t)
	t.Cleanup(func() {
		stop()
		<-c.done
	})
	go c.run(ctx)
	return c
}

// awaitMoving waits until all moving Services have endpoints.
func (s *scene) awaitMoving(t *testing.T) {
	t.Helper()
	poll(t, "all moving Services have endpoints", func() error {
		slices := new(discoveryv1.EndpointSliceList)
		if err := s.client.List(t.Context(), slices, client.InNamespace(s.namespace)); err != nil {
			return err
		}
		whole := 0
		for _, slice := range slices.Items {
			if strings.HasPrefix(slice.Labels[discoveryv1.LabelServiceName], "moving-") && len(slice.Endpoints) == 2 {
				whole++
			}
		}
		if whole != steps {
			return fmt.Errorf("%d of %d have", whole, steps)
		}
		return nil
	})
}

func (c *changer) run(ctx context.Context) {
	defer close(c.done)
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for _, object := range c.objects[c.made%steps] {
			if err := c.applyObject(context.WithoutCancel(ctx), object); err != nil {
				c.err = err
				return
			}
		}
		c.made++
	}
}

// end stops the changes and returns when every Envoy has the last of them, and
// nothing else: what the changes have left behind is removed, however often the
// proxy has moved from replica to replica meanwhile.
func (c *changer) end(t *testing.T) {
	t.Helper()
	c.stop()
	<-c.done
	if c.err != nil || c.made == 0 {
		t.Fatalf("%d changes were made (error: %v)", c.made, c.err)
	}
	t.Logf("%d changes", c.made)
	last := (c.made - 1) % steps
	want := map[string]int{
		c.namespace + "/echo/80":                          2,
		fmt.Sprintf("%s/moving-%d/80", c.namespace, last): 2,
		c.namespace + "/unused/80":                        len(addresses(last)),
	}
	for _, sampler := range c.samplers {
		poll(t, sampler.name+" has what the last change has left", func() error {
			if diff := cmp.Diff(want, sampler.record(t).Now); diff != "" {
				return fmt.Errorf("its clusters and their endpoints (-want +got):\n%s", diff)
			}
			return nil
		})
	}
}
