// Package translate makes Envoy resources of Kubernetes objects: what the two
// Kubernetes examples do beside starting up.
package translate

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
)

// Service is what a proxy needs to know of a Kubernetes Service.
type Service struct {
	Name      string // NAMESPACE/NAME, also the name of the cluster
	Endpoints []Endpoint
}

// Endpoint is one address of a ready pod.
type Endpoint struct {
	Address string
	Port    uint32
}

// ResourceName is the key of a Service in a krt collection.
func (s Service) ResourceName() string { return s.Name }

// New returns a Service with the endpoints that its slices have.
func New(service *corev1.Service, slicesOfService []*discoveryv1.EndpointSlice) Service {
	s := Service{Name: service.Namespace + "/" + service.Name}
	for _, slice := range slicesOfService {
		for _, endpoint := range slice.Endpoints {
			if ready := endpoint.Conditions.Ready; ready != nil && !*ready {
				continue
			}
			for _, address := range endpoint.Addresses {
				for _, port := range slice.Ports {
					if port.Port != nil {
						s.Endpoints = append(s.Endpoints, Endpoint{Address: address, Port: uint32(*port.Port)})
					}
				}
			}
		}
	}
	slices.SortFunc(s.Endpoints, func(a, b Endpoint) int {
		return cmp.Or(cmp.Compare(a.Address, b.Address), cmp.Compare(a.Port, b.Port))
	})
	return s
}

// Owner is the NAMESPACE/NAME of the Service that a slice belongs to.
func Owner(slice *discoveryv1.EndpointSlice) string {
	return slice.Namespace + "/" + slice.Labels[discoveryv1.LabelServiceName]
}

// Snapshot returns a cluster and a ClusterLoadAssignment for each service. Its
// version is a hash of what is in it, so that replicas agree and a proxy that
// reconnects is sent nothing again.
func Snapshot(services []Service) (*cache.Snapshot, error) {
	slices.SortFunc(services, func(a, b Service) int { return cmp.Compare(a.Name, b.Name) })
	content, err := json.Marshal(services)
	if err != nil {
		return nil, err
	}
	var clusters, assignments []types.Resource
	for _, s := range services {
		clusters = append(clusters, cluster(s))
		assignments = append(assignments, assignment(s))
	}
	return cache.NewSnapshot(fmt.Sprintf("%x", sha256.Sum256(content)), map[resource.Type][]types.Resource{
		resource.ClusterType:  clusters,
		resource.EndpointType: assignments,
	})
}

func cluster(s Service) *clusterv3.Cluster {
	return &clusterv3.Cluster{
		Name:                 s.Name,
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS},
		EdsClusterConfig: &clusterv3.Cluster_EdsClusterConfig{EdsConfig: &corev3.ConfigSource{
			ResourceApiVersion:    corev3.ApiVersion_V3,
			ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
		}},
	}
}

func assignment(s Service) *endpointv3.ClusterLoadAssignment {
	locality := &endpointv3.LocalityLbEndpoints{}
	for _, e := range s.Endpoints {
		locality.LbEndpoints = append(locality.LbEndpoints, &endpointv3.LbEndpoint{
			HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: socket(e)}},
		})
	}
	return &endpointv3.ClusterLoadAssignment{ClusterName: s.Name, Endpoints: []*endpointv3.LocalityLbEndpoints{locality}}
}

func socket(e Endpoint) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address:       e.Address,
		PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: e.Port},
	}}}
}
