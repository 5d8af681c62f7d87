package statusclient

import (
	"bytes"
	"context"
	"net"
	"net/http/httptest"
	"strings"
	"testing"

	statusv3 "github.com/envoyproxy/go-control-plane/envoy/service/status/v3"
	"google.golang.org/grpc"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/statuspage"
	"github.com/xdsready/xdsready/pkg/xds"
)

// csds answers with these proxies.
type csds struct {
	statusv3.UnimplementedClientStatusDiscoveryServiceServer
	proxies []xds.Proxy
}

func (c csds) FetchClientStatus(_ context.Context, _ *statusv3.ClientStatusRequest) (*statusv3.ClientStatusResponse, error) {
	response := &statusv3.ClientStatusResponse{}
	for _, p := range c.proxies {
		response.Config = append(response.Config, p.ClientConfig())
	}
	return response, nil
}

// listen serves on loopback until the test ends and returns the address.
func listen(t *testing.T, register func(*grpc.Server)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	register(server)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return listener.Addr().String()
}

// The proxies are those that the admin address tells; where it is not asked, or
// need not answer, those of the page.
func TestProxies(t *testing.T) {
	withProxy := page(true)
	withProxy.Proxies = []statuspage.Proxy{{Node: "of-the-page", State: xds.Synced}}
	server := httptest.NewServer(serving(withProxy))
	defer server.Close()
	answering := listen(t, func(s *grpc.Server) {
		statusv3.RegisterClientStatusDiscoveryServiceServer(s, csds{proxies: []xds.Proxy{
			{NodeID: "of-the-admin-address", Group: "edge", Types: []xds.TypeState{{TypeURL: "t", State: xds.Failed, NACK: "bad cluster"}}},
		}})
	})
	nobody := listen(t, func(*grpc.Server) {})
	many := listen(t, func(s *grpc.Server) {
		long := xds.Proxy{NodeID: "one-of-many", Waits: strings.Repeat("x", 1000)}
		list := make([]xds.Proxy, 8000) // above the 4 MiB that grpc takes by default
		for i := range list {
			list[i] = long
		}
		statusv3.RegisterClientStatusDiscoveryServiceServer(s, csds{proxies: list})
	})
	for _, test := range []struct {
		name, admin string
		optional    bool
		want        []string
		without     string
		err         string
	}{
		{"asked", answering, false, []string{"of-the-admin-address", "edge", "ERROR", "bad cluster"}, "of-the-page", ""},
		{"asked if it is there", answering, true, []string{"of-the-admin-address"}, "of-the-page", ""},
		{"many", many, false, []string{"one-of-many"}, "of-the-page", ""},
		{"not asked", "", false, []string{"of-the-page"}, "of-the-admin-address", ""},
		{"need not answer", nobody, true, []string{"of-the-page"}, "of-the-admin-address", ""},
		{"does not answer", nobody, false, nil, "of-the-page", "--admin-address: asking 127.0.0.1:"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			_, err := Run(t.Context(), Options{Address: server.URL, AdminAddress: test.admin, AdminOptional: test.optional,
				Out: &out, transport: server.Client().Transport})
			if (err != nil) != (test.err != "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Fatalf("Run: %v, want %q", err, test.err)
			}
			for _, want := range test.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("no %q in\n%.2000s", want, out.String())
				}
			}
			if strings.Contains(out.String(), test.without) {
				t.Errorf("%q in\n%.2000s", test.without, out.String())
			}
		})
	}
}

// A lag that only grows is no news for a watch; one that begins or ends is.
func TestKeyOfLag(t *testing.T) {
	lagging := func(seconds float64) string {
		p := page(true)
		p.Proxies = []statuspage.Proxy{{Node: "n", Lag: seconds}}
		return key(p, nil)
	}
	if lagging(1) != lagging(2) {
		t.Error("a growing lag is news")
	}
	if lagging(0) == lagging(1) {
		t.Error("a lag is no news")
	}
}
