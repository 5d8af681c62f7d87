package main

import (
	"fmt"
	"slices"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// config is what the proxies of one node group get, by type URL.
type config map[string][]proto.Message

// edition is what there is to serve at one time.
type edition struct {
	number  int               // from 1
	configs map[string]config // by node group; equal messages are one pointer
	changed proto.Message     // the one load assignment that differs from the edition before; nil in the first
}

// work makes editions: clusters, as many load assignments of 5 endpoints, a
// table of as many routes and a listener. Each node group has one cluster, one
// load assignment and the listener to itself and shares the rest.
type work struct {
	services int
	shared   config
	own      []config // by node group
	editions int      // so far
}

const (
	tableName    = "routes"
	listenerName = "http"
)

// newWork needs 2 services or more: one of a group and one that all share.
func newWork(services, groups int) (*work, error) {
	w := &work{services: services, shared: config{resourcev3.RouteType: {newTable(services)}}}
	for i := 1; i < services; i++ {
		w.shared[resourcev3.ClusterType] = append(w.shared[resourcev3.ClusterType], newCluster(i, 0))
		w.shared[resourcev3.EndpointType] = append(w.shared[resourcev3.EndpointType], newAssignment(i, 0))
	}
	for group := range groups {
		listener, err := newListener(group)
		if err != nil {
			return nil, err
		}
		w.own = append(w.own, config{
			resourcev3.ClusterType:  {newCluster(0, group)},
			resourcev3.EndpointType: {newAssignment(0, group)},
			resourcev3.ListenerType: {listener},
		})
	}
	return w, nil
}

// next returns the first edition, and then each time one in which one endpoint
// of the last load assignment is another.
func (w *work) next() edition {
	w.editions++
	e := edition{number: w.editions, configs: map[string]config{}}
	if w.editions > 1 {
		e.changed = newAssignment(w.services-1, w.editions)
		assignments := slices.Clone(w.shared[resourcev3.EndpointType])
		assignments[len(assignments)-1] = e.changed
		w.shared[resourcev3.EndpointType] = assignments
	}
	for group, own := range w.own {
		all := config{}
		for _, typeURL := range subscribedTypes {
			all[typeURL] = slices.Concat(own[typeURL], w.shared[typeURL])
		}
		e.configs[groupName(group)] = all
	}
	return e
}

// groupName is the node group of a proxy and the cluster in its node.
func groupName(group int) string { return fmt.Sprintf("group-%03d", group) }

// serviceName has the length of names in practice.
func serviceName(i int) string { return fmt.Sprintf("service-%06d.shop.svc.cluster.local", i) }

func newCluster(i, variant int) proto.Message {
	return &clusterv3.Cluster{
		Name:                 serviceName(i),
		ConnectTimeout:       durationpb.New(time.Second + time.Duration(variant)*time.Millisecond),
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS},
		EdsClusterConfig:     &clusterv3.Cluster_EdsClusterConfig{EdsConfig: overADS()},
	}
}

// newAssignment returns 5 endpoints; variants differ in the port of the first
// and have the same size.
func newAssignment(i, variant int) proto.Message {
	endpoints := &endpointv3.LocalityLbEndpoints{Locality: &corev3.Locality{Region: "eu-west-1", Zone: "eu-west-1a"}}
	for n := range 5 {
		port := 8080
		if n == 0 {
			port += variant
		}
		address := fmt.Sprintf("10.%d.%d.%d", 100+i/2000%100, 100+i/20%100, 100+5*(i%20)+n)
		endpoints.LbEndpoints = append(endpoints.LbEndpoints, newEndpoint(address, port))
	}
	return &endpointv3.ClusterLoadAssignment{
		ClusterName: serviceName(i), Endpoints: []*endpointv3.LocalityLbEndpoints{endpoints},
	}
}

func newEndpoint(address string, port int) *endpointv3.LbEndpoint {
	socket := &corev3.SocketAddress{
		Address: address, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(port)},
	}
	return &endpointv3.LbEndpoint{
		HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{
			Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: socket}},
		}},
		LoadBalancingWeight: wrapperspb.UInt32(1),
	}
}

func newTable(routes int) proto.Message {
	host := &routev3.VirtualHost{Name: "all", Domains: []string{"*"}}
	for i := range routes {
		host.Routes = append(host.Routes, &routev3.Route{
			Match: &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: fmt.Sprintf("/shop/%06d/", i)}},
			Action: &routev3.Route_Route{Route: &routev3.RouteAction{
				ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: serviceName(i)},
			}},
		})
	}
	return &routev3.RouteConfiguration{Name: tableName, VirtualHosts: []*routev3.VirtualHost{host}}
}

func newListener(variant int) (proto.Message, error) {
	router, err := anypb.New(&routerv3.Router{})
	if err != nil {
		return nil, err
	}
	manager, err := anypb.New(&hcmv3.HttpConnectionManager{
		StatPrefix: groupName(variant),
		RouteSpecifier: &hcmv3.HttpConnectionManager_Rds{
			Rds: &hcmv3.Rds{RouteConfigName: tableName, ConfigSource: overADS()},
		},
		HttpFilters: []*hcmv3.HttpFilter{{
			Name: "router", ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: router},
		}},
	})
	if err != nil {
		return nil, err
	}
	return &listenerv3.Listener{
		Name:    listenerName,
		Address: newEndpoint("0.0.0.0", 8080).GetEndpoint().GetAddress(),
		FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{{
			Name: "http", ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: manager},
		}}}},
	}, nil
}

func overADS() *corev3.ConfigSource {
	return &corev3.ConfigSource{
		ResourceApiVersion:    corev3.ApiVersion_V3,
		ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
	}
}
