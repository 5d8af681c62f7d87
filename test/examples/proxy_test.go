package examples

import (
	"context"
	"slices"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	adsv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/xdsready/xdsready/test/process"
)

// proxy is one ADS stream, opened as Envoy does: with a request for all
// clusters.
type proxy struct {
	stream adsv3.AggregatedDiscoveryService_StreamAggregatedResourcesClient
}

// connect opens a stream on a connection of its own. How it was met, the first
// receive tells.
func connect(t *testing.T, to *program) *proxy {
	t.Helper()
	connection, err := grpc.NewClient(to.xds, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), process.Limit)
	t.Cleanup(cancel)
	stream, err := adsv3.NewAggregatedDiscoveryServiceClient(connection).StreamAggregatedResources(ctx, grpc.WaitForReady(true))
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{stream}
	p.ask(&adsv3.DiscoveryRequest{Node: &corev3.Node{Id: "proxy", Cluster: "edge"}})
	return p
}

// ask sends a request for all clusters. An error shows as what Recv returns.
func (p *proxy) ask(request *adsv3.DiscoveryRequest) {
	request.TypeUrl = resource.ClusterType
	_ = p.stream.Send(request)
}

// clusters acknowledges the next response and returns the sorted names of the
// clusters in it.
func (p *proxy) clusters() ([]string, error) {
	response, err := p.stream.Recv()
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, packed := range response.GetResources() {
		var cluster clusterv3.Cluster
		if err := packed.UnmarshalTo(&cluster); err != nil {
			return nil, err
		}
		names = append(names, cluster.GetName())
	}
	p.ask(&adsv3.DiscoveryRequest{VersionInfo: response.GetVersionInfo(), ResponseNonce: response.GetNonce()})
	slices.Sort(names)
	return names, nil
}
