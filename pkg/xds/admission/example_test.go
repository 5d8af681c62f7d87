package admission_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/xdsready/xdsready/pkg/ready"
	"github.com/xdsready/xdsready/pkg/xds/admission"
)

// A server that is there already gets the gate by its options alone.
func ExampleServerOptions() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	reg := ready.New("inputs")
	synced := reg.Tier("inputs").Signal("endpoints")
	go reg.Run(ctx.Done())

	server := grpc.NewServer(admission.ServerOptions(reg)...)
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(server, controlPlane{})
	lis := listen()
	go func() { _ = server.Serve(lis) }()
	defer server.Stop()

	proxy := connect(lis)
	defer proxy.Close()
	fmt.Println("before:", ask(proxy))
	synced()
	fmt.Println("after:", ask(proxy))

	// Output:
	// before: Unavailable
	// after: version 7
}

// A single replica holds its proxies. With the Listener, those that it cannot
// hold any longer may look for another replica.
func ExampleNew() {
	reg := ready.New("inputs")
	synced := reg.Tier("inputs").Signal("endpoints")
	gate, err := admission.New(reg, admission.Options{Mode: admission.Hold})
	if err != nil {
		panic(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go reg.Run(ctx.Done())

	server := grpc.NewServer(gate.ServerOptions()...)
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(server, controlPlane{})
	lis := listen()
	go func() { _ = server.Serve(gate.Listener(lis)) }()
	defer server.Stop()

	proxy := connect(lis)
	defer proxy.Close()
	answer := make(chan string)
	go func() { answer <- ask(proxy) }()
	synced() // till now there is none
	fmt.Println(<-answer)

	// Output:
	// version 7
}

// With mutual TLS a certificate says which node groups a proxy may take. Here a
// node's cluster is its group.
func ExampleSANs() {
	authorize, err := admission.SANs(map[string][]string{
		"edge": {"spiffe://prod.example/ns/*/sa/gateway", "gw-*.edge.example"},
		"mesh": {"spiffe://prod.example/ns/*/sa/sidecar"},
	}, func(n admission.Node) string { return n.Cluster })
	if err != nil {
		panic(err)
	}
	gate, err := admission.New(nil, admission.Options{Authorize: authorize})
	if err != nil {
		panic(err)
	}
	mutual := &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert} // and Certificates, ClientCAs
	server := grpc.NewServer(append(gate.ServerOptions(), grpc.Creds(credentials.NewTLS(mutual)))...)
	defer server.Stop()

	gateway := peerWith("spiffe://prod.example/ns/shop/sa/gateway")
	fmt.Println(authorize(gateway, admission.Node{ID: "gw-1", Cluster: "edge"}))
	fmt.Println(authorize(gateway, admission.Node{ID: "gw-1", Cluster: "mesh"}))

	// Output:
	// <nil>
	// no SAN of its certificate may take group "mesh"
}

// controlPlane stands for an xDS server.
type controlPlane struct {
	discoveryv3.UnimplementedAggregatedDiscoveryServiceServer
}

func (controlPlane) StreamAggregatedResources(s discoveryv3.AggregatedDiscoveryService_StreamAggregatedResourcesServer) error {
	if _, err := s.Recv(); err != nil {
		return err
	}
	return s.Send(&discoveryv3.DiscoveryResponse{VersionInfo: "7"})
}

func listen() net.Listener {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	return lis
}

func connect(lis net.Listener) *grpc.ClientConn {
	cc, err := grpc.NewClient(lis.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		panic(err)
	}
	return cc
}

// ask returns the version that a proxy is told, or the code of its refusal.
func ask(proxy *grpc.ClientConn) string {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s, err := discoveryv3.NewAggregatedDiscoveryServiceClient(proxy).StreamAggregatedResources(ctx)
	if err != nil {
		return status.Code(err).String()
	}
	_ = s.Send(&discoveryv3.DiscoveryRequest{}) // its error is what Recv returns
	response, err := s.Recv()
	if err != nil {
		return status.Code(err).String()
	}
	return "version " + response.GetVersionInfo()
}

// peerWith returns the context of a call whose client certificate has that URI.
func peerWith(uri string) context.Context {
	u, err := url.Parse(uri)
	if err != nil {
		panic(err)
	}
	chain := []*x509.Certificate{{URIs: []*url.URL{u}}}
	return peer.NewContext(context.Background(), &peer.Peer{AuthInfo: credentials.TLSInfo{
		State: tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{chain}},
	}})
}
