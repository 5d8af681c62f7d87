package kubernetes

import (
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

// get returns what a backend becomes. The Service is part of the question: a
// route that waits for a confirmation still shows the one it had.
func (b backends) get(of gatewayapi.Backend, w gatewayapi.World) (*backend, error) {
	key := keyOf(of.Service)
	if made := b.made[key][of.Port]; made != nil && made.service == of.Service {
		return made, nil
	}
	made := &backend{service: of.Service}
	var err error
	if made.cluster, err = of.Cluster(); err != nil {
		return nil, err
	}
	if !of.External() {
		if made.endpoints, made.problems, err = of.Endpoints(w.EndpointSlices(key)); err != nil {
			return nil, err
		}
	}
	if b.made[key] == nil {
		b.made[key] = map[int32]*backend{}
		delete(b.faulty, key)
	}
	b.made[key][of.Port] = made
	if len(made.problems) > 0 {
		b.faulty.add(key)
	}
	return made, nil
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
