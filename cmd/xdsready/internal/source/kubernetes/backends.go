package kubernetes

import (
	"runtime"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/gatewayapi"
	"github.com/xdsready/xdsready/pkg/cache"
)

// backends are the clusters and load assignments made so far, until the Service
// or its EndpointSlices change.
type backends struct {
	made   map[types.NamespacedName]map[int32]*backend // by Service and port
	faulty keys                                        // Services that had problems when they were last made
}

// backend is what one port of a Service became.
type backend struct {
	service            *corev1.Service // of which it was made
	cluster, endpoints cache.Resource  // an ExternalName has no endpoints of its own
	problems           []string        // of the endpoints
}

func newBackends() backends {
	return backends{map[types.NamespacedName]map[int32]*backend{}, keys{}}
}

// drop forgets what was made of a Service.
func (b backends) drop(service types.NamespacedName) { delete(b.made, service) }

// has returns what was made of a backend, nil if that has to be made. The Service
// is part of the question: a route that waits for a confirmation still shows the
// one it had.
func (b backends) has(of gatewayapi.Backend) *backend {
	if made := b.made[keyOf(of.Service)][of.Port]; made != nil && made.service == of.Service {
		return made
	}
	return nil
}

// get returns what a backend becomes.
func (b backends) get(of gatewayapi.Backend, w gatewayapi.World) (*backend, error) {
	if made := b.has(of); made != nil {
		return made, nil
	}
	made, err := makeBackend(of, w)
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
	making.SetLimit(runtime.GOMAXPROCS(0))
	for i, of := range all {
		if made[i] = b.has(of); made[i] == nil {
			making.Go(func() (err error) {
				made[i], err = makeBackend(of, w)
				return err
			})
		}
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
		delete(b.faulty, key)
	}
	b.made[key][of.Port] = made
	if len(made.problems) > 0 {
		b.faulty.add(key)
	}
}

// makeBackend makes cluster and load assignment.
func makeBackend(of gatewayapi.Backend, w gatewayapi.World) (*backend, error) {
	made := &backend{service: of.Service}
	var err error
	if made.cluster, err = of.Cluster(); err != nil {
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
