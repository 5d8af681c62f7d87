package kubernetes

import (
	"fmt"
	"maps"
	"slices"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// view is what a proxy holds: resources by type and name.
type view map[string]map[string]proto.Message

// whole are the types that a proxy takes as they come; it names the resources of
// the named ones, after it has found their names in the whole ones.
var (
	whole = []string{resourcev3.ClusterType, resourcev3.ListenerType}
	named = []string{resourcev3.EndpointType, resourcev3.RouteType, resourcev3.SecretType}
)

// set puts a resource into the view.
func (v view) set(typeURL string, resource *anypb.Any) error {
	message, err := resource.UnmarshalNew()
	if err != nil {
		return err
	}
	if v[typeURL] == nil {
		v[typeURL] = map[string]proto.Message{}
	}
	switch named := message.(type) {
	case *endpointv3.ClusterLoadAssignment:
		v[typeURL][named.GetClusterName()] = message
	case interface{ GetName() string }:
		v[typeURL][named.GetName()] = message
	default:
		return fmt.Errorf("a resource without a name: %T", message)
	}
	return nil
}

// of returns all resources of a type by their names.
func of[T proto.Message](v view, typeURL string) map[string]T {
	all := map[string]T{}
	for name, message := range v[typeURL] {
		if typed, ok := message.(T); ok {
			all[name] = typed
		}
	}
	return all
}

func (v view) clusters() map[string]*clusterv3.Cluster {
	return of[*clusterv3.Cluster](v, resourcev3.ClusterType)
}

func (v view) listeners() map[string]*listenerv3.Listener {
	return of[*listenerv3.Listener](v, resourcev3.ListenerType)
}

func (v view) secrets() map[string]*tlsv3.Secret {
	return of[*tlsv3.Secret](v, resourcev3.SecretType)
}

// wanted returns the names that a proxy with this view asks for.
func (v view) wanted(typeURL string) []string {
	names := map[string]bool{}
	switch typeURL {
	case resourcev3.EndpointType:
		for name, cluster := range v.clusters() {
			if cluster.GetType() != clusterv3.Cluster_EDS {
				continue
			}
			if service := cluster.GetEdsClusterConfig().GetServiceName(); service != "" {
				name = service
			}
			names[name] = true
		}
	case resourcev3.RouteType:
		for _, chain := range v.chains() {
			for _, filter := range chain.GetFilters() {
				if manager := unpack[*hcmv3.HttpConnectionManager](filter.GetTypedConfig()); manager.GetRds() != nil {
					names[manager.GetRds().GetRouteConfigName()] = true
				}
			}
		}
	case resourcev3.SecretType:
		for _, chain := range v.chains() {
			context := unpack[*tlsv3.DownstreamTlsContext](chain.GetTransportSocket().GetTypedConfig())
			for _, secret := range context.GetCommonTlsContext().GetTlsCertificateSdsSecretConfigs() {
				names[secret.GetName()] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// chains returns the filter chains of all listeners.
func (v view) chains() []*listenerv3.FilterChain {
	var chains []*listenerv3.FilterChain
	for _, listener := range v.listeners() {
		chains = append(chains, listener.GetFilterChains()...)
		if listener.GetDefaultFilterChain() != nil {
			chains = append(chains, listener.GetDefaultFilterChain())
		}
	}
	return chains
}

// unpack returns the message in a, or T's zero value if that is another.
func unpack[T proto.Message](a *anypb.Any) T {
	var zero T
	message, err := a.UnmarshalNew()
	if err != nil {
		return zero
	}
	typed, _ := message.(T)
	return typed
}

// routes returns all routes by the path that they match.
func (v view) routes() map[string]*routev3.Route {
	all := map[string]*routev3.Route{}
	for _, table := range of[*routev3.RouteConfiguration](v, resourcev3.RouteType) {
		for _, host := range table.GetVirtualHosts() {
			for _, route := range host.GetRoutes() {
				match := route.GetMatch()
				path := match.GetPathSeparatedPrefix()
				if path == "" {
					path = match.GetPath() + match.GetPrefix()
				}
				all[path] = route
			}
		}
	}
	return all
}

// targets returns the cluster of each route by its path, "" where Envoy answers
// itself.
func (v view) targets() map[string]string {
	all := map[string]string{}
	for path, route := range v.routes() {
		all[path] = route.GetRoute().GetCluster()
	}
	return all
}

// endpoints returns the addresses of a cluster.
func (v view) endpoints(cluster string) []string {
	var addresses []string
	assignment := of[*endpointv3.ClusterLoadAssignment](v, resourcev3.EndpointType)[cluster]
	for _, locality := range assignment.GetEndpoints() {
		for _, endpoint := range locality.GetLbEndpoints() {
			addresses = append(addresses, endpoint.GetEndpoint().GetAddress().GetSocketAddress().GetAddress())
		}
	}
	slices.Sort(addresses)
	return addresses
}
