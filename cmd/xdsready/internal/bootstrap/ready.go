package bootstrap

import (
	"fmt"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
)

// The names of the listener for probes, and of the static cluster that leads
// from there to the admin server.
const (
	readyName = "xdsready-ready"
	adminName = "xdsready-admin"
)

// readyPaths are all that the listener for probes has of the admin server: what
// is only looked at.
var readyPaths = []string{"/ready", "/stats/prometheus"}

// newReady returns the listener for probes and its cluster, nil without an
// address for it. Envoy opens its listeners when it has its first configuration,
// so until then a probe finds nobody, and that is its answer.
func newReady(o Options) (*listenerv3.Listener, *clusterv3.Cluster, error) {
	if o.ReadyAddress == "" {
		return nil, nil, nil
	}
	ready, err := ipAndPort(o.ReadyAddress)
	if err != nil {
		return nil, nil, fmt.Errorf("--ready-address: %w", err)
	}
	admin, err := o.admin()
	if err != nil || admin.port == 0 {
		return nil, nil, fmt.Errorf("--ready-address needs an --admin-address with a port, which %q is not", o.AdminAddress)
	}
	listener, err := newReadyListener(ready)
	if err != nil {
		return nil, nil, err
	}
	return listener, newStaticCluster(adminName, admin), nil
}

func newReadyListener(a address) (*listenerv3.Listener, error) {
	router, err := packed(&routerv3.Router{})
	if err != nil {
		return nil, err
	}
	host := &routev3.VirtualHost{Name: readyName, Domains: []string{"*"}}
	for _, path := range readyPaths {
		host.Routes = append(host.Routes, &routev3.Route{
			Match:  &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Path{Path: path}},
			Action: &routev3.Route_Route{Route: &routev3.RouteAction{ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: adminName}}},
		})
	}
	manager, err := packed(&hcmv3.HttpConnectionManager{
		StatPrefix: readyName,
		RouteSpecifier: &hcmv3.HttpConnectionManager_RouteConfig{
			RouteConfig: &routev3.RouteConfiguration{VirtualHosts: []*routev3.VirtualHost{host}},
		},
		HttpFilters: []*hcmv3.HttpFilter{newFilter("envoy.filters.http.router", router)},
	})
	if err != nil {
		return nil, err
	}
	return &listenerv3.Listener{
		Name: readyName, Address: a.proto(), IgnoreGlobalConnLimit: true,
		FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{{
			Name:       "envoy.filters.network.http_connection_manager",
			ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: manager},
		}}}},
	}, nil
}
