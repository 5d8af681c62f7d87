package kubernetes

import (
	"sync"

	"istio.io/istio/pkg/kube/krt"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/gatewayapi"
)

// keys is a set of objects.
type keys map[types.NamespacedName]struct{}

func (k keys) add(key types.NamespacedName) { k[key] = struct{}{} }

func (k keys) has(key types.NamespacedName) bool {
	_, ok := k[key]
	return ok
}

// changed are the objects that events have named since the last look.
type changed struct {
	classes, gateways, routes, grants, services, slices, secrets, namespaces keys

	answers []answer // of confirmations
}

func newChanged() changed {
	return changed{
		classes: keys{}, gateways: keys{}, routes: keys{}, grants: keys{}, services: keys{},
		slices:  keys{}, // by Service
		secrets: keys{}, namespaces: keys{},
	}
}

// changes collects what changed until somebody has time for it, so that the
// work follows the number of changed objects and not that of events.
type changes struct {
	wake chan struct{} // capacity one
	all  []func()      // note all that there is, a function for each collection

	mu      sync.Mutex // guards pending
	pending changed
}

func newChanges() *changes {
	return &changes{wake: make(chan struct{}, 1), pending: newChanged()}
}

// note records a change.
func (c *changes) note(record func(*changed)) {
	c.mu.Lock()
	record(&c.pending)
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// noteAll records all that there is, told of by an event already or not.
func (c *changes) noteAll() {
	for _, note := range c.all {
		note()
	}
}

// take returns what has changed and begins anew.
func (c *changes) take() changed {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := c.pending
	c.pending = newChanged()
	return taken
}

// follow registers handlers on all that a snapshot is made of. Each is called
// after its collection has changed, so that who takes a change sees it there.
// The registrations tell when the handlers have seen what was there at the start.
func (c *changes) follow(in *inputs, derived collections) []krt.Syncer {
	return []krt.Syncer{
		handle(c, in.classes.objects, func(ch *changed, o *gatewayv1.GatewayClass) { ch.classes.add(keyOf(o)) }),
		handle(c, derived.gateways, func(ch *changed, g *gatewayapi.Gateway) { ch.gateways.add(g.Key()) }),
		handle(c, derived.routes, func(ch *changed, r *gatewayapi.Route) { ch.routes.add(r.Key()) }),
		handle(c, in.grants.objects, func(ch *changed, o *gatewayv1beta1.ReferenceGrant) { ch.grants.add(keyOf(o)) }),
		handle(c, in.services.objects, func(ch *changed, o *corev1.Service) { ch.services.add(keyOf(o)) }),
		handle(c, in.slices.objects, func(ch *changed, o *discoveryv1.EndpointSlice) { ch.slices.add(serviceOf(o)) }),
		handle(c, in.secrets.objects, func(ch *changed, o *corev1.Secret) { ch.secrets.add(keyOf(o)) }),
		handle(c, in.namespaces.objects, func(ch *changed, o *corev1.Namespace) { ch.namespaces.add(keyOf(o)) }),
	}
}

// handle records the objects of a collection's events, the old ones as well: a
// slice may have gone from one Service to another.
func handle[T any](c *changes, from krt.Collection[T], record func(*changed, T)) krt.Syncer {
	c.all = append(c.all, func() {
		c.note(func(ch *changed) {
			for _, o := range from.List() {
				record(ch, o)
			}
		})
	})
	return from.RegisterBatch(func(events []krt.Event[T]) {
		c.note(func(ch *changed) {
			for _, event := range events {
				for _, o := range event.Items() {
					record(ch, o)
				}
			}
		})
	}, true)
}

func keyOf(o object) types.NamespacedName {
	return types.NamespacedName{Namespace: o.GetNamespace(), Name: o.GetName()}
}
