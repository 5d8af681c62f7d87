package bootstrap

import (
	"fmt"
	"slices"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
)

// clusterName is the name of the static cluster that leads to the control plane.
const clusterName = "xdsready"

// httpOptions is where a cluster's HTTP options stand.
const httpOptions = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"

// New returns a bootstrap that keeps Envoy's own rules. An error names the flag
// that cannot be used.
func New(o Options) (*bootstrapv3.Bootstrap, error) {
	b := &bootstrapv3.Bootstrap{}
	if o.NodeID != "" || o.NodeCluster != "" {
		b.Node = &corev3.Node{Id: o.NodeID, Cluster: o.NodeCluster}
	}
	var err error
	if b.Admin, err = newAdmin(o); err != nil {
		return nil, err
	}
	if b.DynamicResources, err = newDynamicResources(o.Transport); err != nil {
		return nil, err
	}
	cluster, err := newCluster(o)
	if err != nil {
		return nil, err
	}
	b.StaticResources = &bootstrapv3.Bootstrap_StaticResources{Clusters: []*clusterv3.Cluster{cluster}}
	listener, admin, err := newReady(o)
	if err != nil {
		return nil, err
	}
	if listener != nil {
		b.StaticResources.Listeners = []*listenerv3.Listener{listener}
		b.StaticResources.Clusters = append(b.StaticResources.Clusters, admin)
	}
	if err := b.ValidateAll(); err != nil {
		return nil, fmt.Errorf("the bootstrap breaks Envoy's rules: %w", err)
	}
	return b, nil
}

func newAdmin(o Options) (*bootstrapv3.Admin, error) {
	if o.AdminAddress == "" {
		return nil, nil
	}
	a, err := o.admin()
	if err != nil {
		return nil, err
	}
	return &bootstrapv3.Admin{Address: a.proto()}, nil
}

func newDynamicResources(t Transport) (*bootstrapv3.Bootstrap_DynamicResources, error) {
	apiType, ok := map[Transport]corev3.ApiConfigSource_ApiType{
		"": corev3.ApiConfigSource_DELTA_GRPC, Delta: corev3.ApiConfigSource_DELTA_GRPC, SotW: corev3.ApiConfigSource_GRPC,
	}[t]
	if !ok {
		return nil, fmt.Errorf("--transport: unknown transport %q: use delta or sotw", t)
	}
	return &bootstrapv3.Bootstrap_DynamicResources{
		AdsConfig: &corev3.ApiConfigSource{
			ApiType:                   apiType,
			TransportApiVersion:       corev3.ApiVersion_V3,
			SetNodeOnFirstMessageOnly: true,
			GrpcServices: []*corev3.GrpcService{{TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{
				EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{
					ClusterName: clusterName,
					RetryPolicy: &corev3.RetryPolicy{RetryBackOff: &corev3.BackoffStrategy{
						BaseInterval: durationpb.New(100 * time.Millisecond), MaxInterval: durationpb.New(time.Second),
					}},
				},
			}}},
		},
		CdsConfig: waitingADS(),
		LdsConfig: waitingADS(),
	}, nil
}

// waitingADS asks ADS and waits for its answer for ever.
func waitingADS() *corev3.ConfigSource {
	return &corev3.ConfigSource{
		ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
		InitialFetchTimeout:   durationpb.New(0),
		ResourceApiVersion:    corev3.ApiVersion_V3,
	}
}

func newCluster(o Options) (*clusterv3.Cluster, error) {
	endpoints, err := o.endpoints()
	if err != nil {
		return nil, err
	}
	c := newStaticCluster(clusterName, endpoints...)
	c.ConnectTimeout = durationpb.New(2 * time.Second)
	if !allIPs(endpoints) {
		c.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STRICT_DNS}
		c.DnsLookupFamily = clusterv3.Cluster_ALL
	}
	if err := o.TLS.check(); err != nil {
		return nil, err
	}
	options, err := newHTTPOptions(o.TLS)
	if err != nil {
		return nil, err
	}
	c.TypedExtensionProtocolOptions = map[string]*anypb.Any{httpOptions: options}
	if o.TLS.CAFile != "" {
		c.TransportSocket, err = newTransportSocket(o.TLS, endpoints)
	}
	return c, err
}

// newStaticCluster returns a cluster of these endpoints.
func newStaticCluster(name string, endpoints ...address) *clusterv3.Cluster {
	locality := &endpointv3.LocalityLbEndpoints{}
	for _, a := range endpoints {
		locality.LbEndpoints = append(locality.LbEndpoints, &endpointv3.LbEndpoint{
			HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: a.proto()}},
		})
	}
	return &clusterv3.Cluster{
		Name:                 name,
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
		LoadAssignment:       &endpointv3.ClusterLoadAssignment{ClusterName: name, Endpoints: []*endpointv3.LocalityLbEndpoints{locality}},
	}
}

func allIPs(endpoints []address) bool {
	return !slices.ContainsFunc(endpoints, func(a address) bool { return !a.isIP() })
}

// newHTTPOptions asks for HTTP/2, which gRPC needs, with keepalive, and for the
// token, if there is one.
func newHTTPOptions(t TLS) (*anypb.Any, error) {
	filters, err := t.newFilters()
	if err != nil {
		return nil, err
	}
	return packed(&httpv3.HttpProtocolOptions{
		HttpFilters: filters,
		UpstreamProtocolOptions: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_{
			ExplicitHttpConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig{
				ProtocolConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_Http2ProtocolOptions{
					Http2ProtocolOptions: &corev3.Http2ProtocolOptions{ConnectionKeepalive: &corev3.KeepaliveSettings{
						Interval: durationpb.New(30 * time.Second), Timeout: durationpb.New(10 * time.Second),
					}},
				},
			},
		},
	})
}

// packed puts a message that keeps Envoy's rules into an Any: ValidateAll does
// not look into those.
func packed(m interface {
	proto.Message
	ValidateAll() error
}) (*anypb.Any, error) {
	if err := m.ValidateAll(); err != nil {
		return nil, fmt.Errorf("the bootstrap breaks Envoy's rules: %w", err)
	}
	return anypb.New(m)
}

func (a address) proto() *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: a.host, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: a.port},
	}}}
}
