package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/anypb"
)

// gatewayOfAll is the node group of the Gateway that all routes are attached to.
const gatewayOfAll = "gateways/edge"

// gatewayProxy is a delta xDS client that asks for what its Gateway's config
// refers to, as Envoy does, and ACKs everything.
type gatewayProxy struct {
	acked      chan event // the ACKs of load assignments, by name
	connection *grpc.ClientConn
	cancel     context.CancelFunc
	ended      chan struct{}
	failed     error // why the stream ended; for who waits for ended

	stream  discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesClient
	asked   map[string]map[string]bool // by type URL: names that were asked for and have not come
	routed  bool                       // a route table has come, which is asked for last
	loaded  chan struct{}              // closed when one has and no name is missing
	waiting bool                       // for loaded
}

// connectGatewayProxy connects a proxy and waits until it has all its config.
// The caller closes it.
func connectGatewayProxy(ctx context.Context, address string) (*gatewayProxy, error) {
	connection, err := connect(ctx, address)
	if err != nil {
		return nil, err
	}
	p := &gatewayProxy{
		acked: make(chan event, recent), connection: connection, ended: make(chan struct{}),
		asked:  map[string]map[string]bool{resourcev3.EndpointType: {}, resourcev3.RouteType: {}},
		loaded: make(chan struct{}), waiting: true,
	}
	streamCtx, cancel := context.WithCancel(ctx)
	p.cancel = cancel
	go func() {
		defer close(p.ended)
		p.failed = p.follow(streamCtx)
	}()
	select {
	case <-p.loaded:
		return p, nil
	case <-p.ended:
		err = p.failed
	case <-time.After(patience):
		err = errStuck
	}
	p.close()
	return nil, fmt.Errorf("loading a proxy: %w", err)
}

// close ends the stream and waits for that.
func (p *gatewayProxy) close() {
	p.cancel()
	<-p.ended
	_ = p.connection.Close() // nothing is left to be said on it
}

// follow subscribes and ACKs until the stream ends, and returns why it did.
func (p *gatewayProxy) follow(ctx context.Context) error {
	var err error
	client := discoveryv3.NewAggregatedDiscoveryServiceClient(p.connection)
	if p.stream, err = client.DeltaAggregatedResources(ctx, grpc.MaxCallRecvMsgSize(largestRequest)); err != nil {
		return err
	}
	node := &corev3.Node{Id: "proxy", Cluster: gatewayOfAll}
	for _, typeURL := range []string{resourcev3.ClusterType, resourcev3.ListenerType} {
		if err := p.stream.Send(&discoveryv3.DeltaDiscoveryRequest{Node: node, TypeUrl: typeURL}); err != nil {
			return err
		}
		node = nil
	}
	for {
		response, err := p.stream.Recv()
		if err != nil {
			return err
		}
		if err := p.take(response); err != nil {
			return err
		}
	}
}

// take ACKs a response, and asks for what it refers to.
func (p *gatewayProxy) take(r *discoveryv3.DeltaDiscoveryResponse) error {
	ack := &discoveryv3.DeltaDiscoveryRequest{TypeUrl: r.GetTypeUrl(), ResponseNonce: r.GetNonce()}
	if err := p.stream.Send(ack); err != nil {
		return err
	}
	at := time.Now()
	for _, resource := range r.GetResources() {
		delete(p.asked[r.GetTypeUrl()], resource.GetName())
		switch r.GetTypeUrl() {
		case resourcev3.EndpointType:
			note(p.acked, event{resource.GetName(), at})
		case resourcev3.RouteType:
			p.routed = true
		case resourcev3.ClusterType, resourcev3.ListenerType:
			if err := p.refer(resource.GetResource()); err != nil {
				return err
			}
		}
	}
	if err := p.subscribe(r.GetTypeUrl()); err != nil {
		return err
	}
	missing := len(p.asked[resourcev3.EndpointType]) + len(p.asked[resourcev3.RouteType])
	if p.waiting && p.routed && missing == 0 {
		p.waiting = false
		close(p.loaded)
	}
	return nil
}

// refer notes what a cluster or listener refers to.
func (p *gatewayProxy) refer(resource *anypb.Any) error {
	message, err := resource.UnmarshalNew()
	if err != nil {
		return err
	}
	switch m := message.(type) {
	case *clusterv3.Cluster:
		if m.GetType() == clusterv3.Cluster_EDS {
			name := m.GetEdsClusterConfig().GetServiceName()
			if name == "" {
				name = m.GetName()
			}
			p.asked[resourcev3.EndpointType][name] = true
		}
	case *listenerv3.Listener:
		chains := m.GetFilterChains()
		if m.GetDefaultFilterChain() != nil {
			chains = append(chains, m.GetDefaultFilterChain())
		}
		for _, chain := range chains {
			for _, filter := range chain.GetFilters() {
				manager := &hcmv3.HttpConnectionManager{}
				if err := filter.GetTypedConfig().UnmarshalTo(manager); err != nil {
					return errors.Join(fmt.Errorf("filter %s is no HTTP connection manager", filter.GetName()), err)
				}
				p.asked[resourcev3.RouteType][manager.GetRds().GetRouteConfigName()] = true
			}
		}
	}
	return nil
}

// subscribe asks for what the resources of a type refer to.
func (p *gatewayProxy) subscribe(referrers string) error {
	referred := map[string]string{
		resourcev3.ClusterType: resourcev3.EndpointType, resourcev3.ListenerType: resourcev3.RouteType,
	}[referrers]
	if referred == "" || len(p.asked[referred]) == 0 {
		return nil
	}
	request := &discoveryv3.DeltaDiscoveryRequest{TypeUrl: referred}
	for name := range p.asked[referred] {
		request.ResourceNamesSubscribe = append(request.ResourceNamesSubscribe, name)
	}
	return p.stream.Send(request)
}
