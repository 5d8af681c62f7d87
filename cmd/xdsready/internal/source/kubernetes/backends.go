package kubernetes

import (
	"runtime"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/gatewayapi"
	"github.com/xdsready/xdsready/pkg/cache"
)

// backends are the clusters and load assignments made so far: those until the
// Service changes, these until its EndpointSlices do as well.
type backends struct {
	made   map[types.NamespacedName]map[int32]*backend // by Service and port
	faulty keys                                        // Services that had problems when they were last made
}

// backend is what one port of a Service became.
type backend struct {
	service            *corev1.Service // of which it was made
	cluster, endpoints cache.Resource  // an ExternalName has no endpoints of its own
	problems           []string        // of the endpoints
	stale              bool            // the endpoints have to be made anew
}

func newBackends() backends {
	return backends{map[types.NamespacedName]map[int32]*backend{}, keys{}}
}

// drop forgets what was made of a Service.
func (b backends) drop(service types.NamespacedName) { delete(b.made, service) }

// dropEndpoints forgets what was made of a Service's EndpointSlices.
func (b backends) dropEndpoints(service types.NamespacedName) {
	for _, made := range b.made[service] {
		made.stale = true
	}
}

// has returns what was made of a backend, nil if that has to be made. The Service
// is part of the question: a route that waits for a confirmation still shows the
// one it had.
func (b backends) has(of gatewayapi.Backend) *backend {
	if made := b.made[keyOf(of.Service)][of.Port]; made != nil && made.service == of.Service && !made.stale {
		return made
	}
	return nil
}

// get returns what a backend becomes.
func (b backends) get(of gatewayapi.Backend, w gatewayapi.World) (*backend, error) {
	if made := b.has(of); made != nil {
		return made, nil
	}
	made, err := b.remake(of, w)
	if err == nil {
		b.put(of, made)
	}
	return made, err
}

// getAll makes what is missing of many, on all CPUs: at the start that is the
// most part of the work.
func (b backends) getAll(all []gatewayapi.Backend, w gatewayapi.World) ([]*backend, error) {
	made := make([]*backend, len(all))
	var making errgroup.Group
	workers := runtime.GOMAXPROCS(0)
	for first := range workers {
		making.Go(func() (err error) {
			for i := first; i < len(all) && err == nil; i += workers {
				if made[i] = b.has(all[i]); made[i] == nil {
					made[i], err = b.remake(all[i], w)
				}
			}
			return err
		})
	}
	if err := making.Wait(); err != nil {
		return nil, err
	}
	for i, of := range all {
		b.put(of, made[i])
	}
	return made, nil
}

// put enters what was made of a backend.
func (b backends) put(of gatewayapi.Backend, made *backend) {
	key := keyOf(of.Service)
	if b.made[key] == nil {
		b.made[key] = map[int32]*backend{}
	}
	b.made[key][of.Port] = made
	delete(b.faulty, key)
	for _, port := range b.made[key] {
		if len(port.problems) > 0 && !port.stale {
			b.faulty.add(key)
		}
	}
}

// remake makes cluster and load assignment, or the load assignment alone where
// the cluster is still good. It changes nothing.
func (b backends) remake(of gatewayapi.Backend, w gatewayapi.World) (*backend, error) {
	made := &backend{service: of.Service}
	var err error
	if before := b.made[keyOf(of.Service)][of.Port]; before != nil && before.service == of.Service {
		made.cluster = before.cluster
	} else if made.cluster, err = of.Cluster(); err != nil {
		return nil, err
	}
	if !of.External() {
		made.endpoints, made.problems, err = of.Endpoints(w.EndpointSlices(keyOf(of.Service)))
	}
	return made, err
}

// problems returns what was wrong with the endpoints of a backend.
func (b backends) problems(of gatewayapi.Backend) []string {
	if made := b.made[keyOf(of.Service)][of.Port]; made != nil {
		return made.problems
	}
	return nil
}

// keep forgets all Services but those in use.
func (b backends) keep(used func(types.NamespacedName) bool) {
	for service := range b.made {
		if !used(service) {
			delete(b.made, service)
			delete(b.faulty, service)
		}
	}
}
