package gocontrolplane_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	clusterservice "github.com/envoyproxy/go-control-plane/envoy/service/cluster/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/grpc"
)

// proxy is a client that subscribes to all clusters and acknowledges everything.
type proxy interface {
	// subscribe sends the first request.
	subscribe(t *testing.T, id string)
	// next returns the names of the clusters that the proxy has after one more
	// response, or the error that the stream ended with.
	next() ([]string, error)
	// hangUp ends the stream and waits for the server's end of it.
	hangUp(t *testing.T)
}

// variant opens a stream in one of the variants of xDS.
type variant struct {
	name string
	open func(context.Context, *grpc.ClientConn) (proxy, error)
}

// connect opens a stream, for as long as a test may take.
func (v variant) connect(t *testing.T, conn *grpc.ClientConn) proxy {
	t.Helper()
	p, err := v.open(testContext(t), conn)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// variants are the two that a proxy can speak, over ADS and over the service of
// clusters alone.
var variants = []variant{
	{"SotW", func(ctx context.Context, conn *grpc.ClientConn) (proxy, error) {
		s, err := discovery.NewAggregatedDiscoveryServiceClient(conn).StreamAggregatedResources(ctx)
		return &sotwProxy{s}, err
	}},
	{"delta", func(ctx context.Context, conn *grpc.ClientConn) (proxy, error) {
		s, err := discovery.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(ctx)
		return &deltaProxy{s, map[string]bool{}}, err
	}},
	{"SotW CDS", func(ctx context.Context, conn *grpc.ClientConn) (proxy, error) {
		s, err := clusterservice.NewClusterDiscoveryServiceClient(conn).StreamClusters(ctx)
		return &sotwProxy{s}, err
	}},
	{"delta CDS", func(ctx context.Context, conn *grpc.ClientConn) (proxy, error) {
		s, err := clusterservice.NewClusterDiscoveryServiceClient(conn).DeltaClusters(ctx)
		return &deltaProxy{s, map[string]bool{}}, err
	}},
}

type (
	sotwStream = grpc.BidiStreamingClient[discovery.DiscoveryRequest, discovery.DiscoveryResponse]
	sotwProxy  struct{ stream sotwStream }

	deltaStream = grpc.BidiStreamingClient[discovery.DeltaDiscoveryRequest, discovery.DeltaDiscoveryResponse]
	deltaProxy  struct {
		stream deltaStream
		has    map[string]bool
	}
)

func (p *sotwProxy) subscribe(t *testing.T, id string) {
	t.Helper()
	sent(t, p.stream.Send(&discovery.DiscoveryRequest{Node: node(id), TypeUrl: resourcev3.ClusterType}))
}

func (p *sotwProxy) next() ([]string, error) {
	r, err := p.stream.Recv()
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, packed := range r.GetResources() {
		var c clusterv3.Cluster
		if err := packed.UnmarshalTo(&c); err != nil {
			return nil, err
		}
		names = append(names, c.GetName())
	}
	slices.Sort(names)
	return names, p.stream.Send(&discovery.DiscoveryRequest{
		TypeUrl: r.GetTypeUrl(), VersionInfo: r.GetVersionInfo(), ResponseNonce: r.GetNonce(),
	})
}

func (p *sotwProxy) hangUp(t *testing.T) {
	t.Helper()
	hangUp(t, p.stream)
}

func (p *deltaProxy) subscribe(t *testing.T, id string) {
	t.Helper()
	sent(t, p.stream.Send(&discovery.DeltaDiscoveryRequest{Node: node(id), TypeUrl: resourcev3.ClusterType}))
}

func (p *deltaProxy) next() ([]string, error) {
	r, err := p.stream.Recv()
	if err != nil {
		return nil, err
	}
	for _, resource := range r.GetResources() {
		p.has[resource.GetName()] = true
	}
	for _, name := range r.GetRemovedResources() {
		delete(p.has, name)
	}
	return slices.AppendSeq([]string{}, maps.Keys(p.has)), p.stream.Send(&discovery.DeltaDiscoveryRequest{
		TypeUrl: r.GetTypeUrl(), ResponseNonce: r.GetNonce(),
	})
}

func (p *deltaProxy) hangUp(t *testing.T) {
	t.Helper()
	hangUp(t, p.stream)
}

// sent checks the outcome of a Send. It is io.EOF if the server has ended the
// stream; Recv says why.
func sent(t *testing.T, err error) {
	t.Helper()
	if err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
}

// hangUp closes the client's end of a stream and reads until the server has
// closed its own.
func hangUp[S interface {
	grpc.ClientStream
	Recv() (R, error)
}, R any](t *testing.T, s S) {
	t.Helper()
	if err := s.CloseSend(); err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := s.Recv(); err != nil {
			return
		}
	}
}
