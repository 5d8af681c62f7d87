package statusclient

import (
	"context"
	"fmt"

	statusv3 "github.com/envoyproxy/go-control-plane/envoy/service/status/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/statuspage"
	"github.com/xdsready/xdsready/pkg/xds"
)

// admin asks the admin address of a program for its proxies, by CSDS.
type admin struct {
	address string
	conn    *grpc.ClientConn
}

// newAdmin does not connect yet.
func newAdmin(address string) (*admin, error) {
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxBody)))
	if err != nil {
		return nil, fmt.Errorf("--admin-address: %w", err)
	}
	return &admin{address, conn}, nil
}

func (a *admin) close() { _ = a.conn.Close() }

// proxies returns the connected streams, as the program orders them.
func (a *admin) proxies(ctx context.Context) ([]statuspage.Proxy, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	response, err := statusv3.NewClientStatusDiscoveryServiceClient(a.conn).FetchClientStatus(ctx, &statusv3.ClientStatusRequest{})
	if err != nil {
		return nil, fmt.Errorf("--admin-address: asking %s for the proxies: %s: give the --admin-address that \"xdsready serve\" has, "+
			"or an empty one for the proxies of the status page", a.address, status.Convert(err).Message())
	}
	proxies := make([]statuspage.Proxy, 0, len(response.GetConfig()))
	for _, config := range response.GetConfig() {
		proxies = append(proxies, statuspage.ProxyOf(xds.ProxyOf(config)))
	}
	return proxies, nil
}
