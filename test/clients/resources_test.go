package clients

import (
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/xdsready/xdsready/pkg/cache"
)

// service is the name of the listener, and what follows xds:/// in the clients'
// target.
const service = "service"

// resourceTypes is how many types of resources a config has.
const resourceTypes = 4

// config is a service with a route table that sends all to one cluster, which
// has one backend.
type config struct {
	routes, cluster string // the names of two of the resources
	backend         *backend
}

// ads is how each resource says where the one that it names comes from.
var ads = &corev3.ConfigSource{
	ResourceApiVersion:    corev3.ApiVersion_V3,
	ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
}

func (c config) resources(t *testing.T) []cache.Resource {
	t.Helper()
	var all []cache.Resource
	for _, message := range []proto.Message{
		listener(t, c.routes),
		routes(c.routes, c.cluster),
		edsCluster(c.cluster),
		endpoints(c.cluster, c.backend),
	} {
		resource, err := cache.NewResource(message)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, resource)
	}
	return all
}

// listener is an api_listener: it binds no port, since the client itself is the
// proxy.
func listener(t *testing.T, routes string) *listenerv3.Listener {
	t.Helper()
	return &listenerv3.Listener{
		Name: service,
		ApiListener: &listenerv3.ApiListener{ApiListener: pack(t, &hcmv3.HttpConnectionManager{
			RouteSpecifier: &hcmv3.HttpConnectionManager_Rds{
				Rds: &hcmv3.Rds{RouteConfigName: routes, ConfigSource: ads},
			},
			HttpFilters: []*hcmv3.HttpFilter{{
				Name:       "router",
				ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: pack(t, &routerv3.Router{})},
			}},
		})},
	}
}

func routes(name, cluster string) *routev3.RouteConfiguration {
	return &routev3.RouteConfiguration{
		Name: name,
		VirtualHosts: []*routev3.VirtualHost{{
			Name:    "all",
			Domains: []string{"*"},
			Routes: []*routev3.Route{{
				Match: &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}},
				Action: &routev3.Route_Route{Route: &routev3.RouteAction{
					ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: cluster},
				}},
			}},
		}},
	}
}

func edsCluster(name string) *clusterv3.Cluster {
	return &clusterv3.Cluster{
		Name:                 name,
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS},
		EdsClusterConfig:     &clusterv3.Cluster_EdsClusterConfig{EdsConfig: ads},
	}
}

// endpoints has a locality with a weight: gRPC takes no endpoints without.
func endpoints(cluster string, b *backend) *endpointv3.ClusterLoadAssignment {
	address := &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address:       b.address.Addr().String(),
		PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(b.address.Port())},
	}}}
	return &endpointv3.ClusterLoadAssignment{
		ClusterName: cluster,
		Endpoints: []*endpointv3.LocalityLbEndpoints{{
			Locality:            &corev3.Locality{Region: "loopback"},
			LoadBalancingWeight: wrapperspb.UInt32(1),
			LbEndpoints: []*endpointv3.LbEndpoint{{
				HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: address}},
			}},
		}},
	}
}

func pack(t *testing.T, m proto.Message) *anypb.Any {
	t.Helper()
	packed, err := anypb.New(m)
	if err != nil {
		t.Fatal(err)
	}
	return packed
}
