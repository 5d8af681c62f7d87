package kubernetes

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/gatewayapi"
	"github.com/xdsready/xdsready/pkg/cache"
)

// backends are the clusters and load assignments made so far, by Service and
// port, until the Service or its EndpointSlices change.
type backends map[types.NamespacedName]map[int32]*backend

// backend is what one port of a Service became.
type backend struct {
	service   *corev1.Service // of which it was made
	resources []cache.Resource
	problems  []string // of its endpoints
}

// drop forgets what was made of a Service.
func (b backends) drop(service types.NamespacedName) { delete(b, service) }

// get returns what a backend becomes. The Service is part of the question: a
// route that waits for a confirmation still shows the one it had.
func (b backends) get(of gatewayapi.Backend, w world) (*backend, error) {
	key := keyOf(of.Service)
	if made := b[key][of.Port]; made != nil && made.service == of.Service {
		return made, nil
	}
	made := &backend{service: of.Service}
	cluster, err := of.Cluster()
	if err != nil {
		return nil, err
	}
	made.resources = append(made.resources, cluster)
	if !of.External() {
		endpoints, problems, err := of.Endpoints(w.EndpointSlices(key))
		if err != nil {
			return nil, err
		}
		made.resources, made.problems = append(made.resources, endpoints), problems
	}
	if b[key] == nil {
		b[key] = map[int32]*backend{}
	}
	b[key][of.Port] = made
	return made, nil
}

// keep forgets all Services but those in use.
func (b backends) keep(used func(types.NamespacedName) bool) {
	for service := range b {
		if !used(service) {
			delete(b, service)
		}
	}
}
