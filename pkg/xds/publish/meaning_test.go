package publish_test

import (
	"slices"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"

	"github.com/xdsready/xdsready/pkg/cache"
)

// Content that the modelled proxies reject.
const (
	rotten         = "rotten"
	rottenPriority = 77
)

// meaning is what a proxy reads in a resource. It is read from the message, not
// from the cache's references, which are under test as well.
type meaning struct {
	bad bool

	service string   // of a cluster: its load assignment
	secrets []string // of a cluster
	members []string // of an aggregate cluster
	slow    bool     // of a cluster: it is warm only when its endpoints answer

	routes    map[string]string // of a table or listener: path → cluster
	overrides []string          // of a table: HTTP filters
	table     string            // of a listener: its route table
	filters   []string          // of a listener: HTTP filters
}

// tcpPath is the path of a listener that is none of HTTP.
const tcpPath = "tcp"

// read returns what a resource means.
func (b *library) read(r cache.Resource) meaning {
	m, ok := b.meanings[r.Version()]
	if !ok {
		switch message := r.Message().(type) {
		case *clusterv3.Cluster:
			m = readCluster(message, r)
		case *endpointv3.ClusterLoadAssignment:
			m.bad = len(message.GetEndpoints()) > 0 && message.GetEndpoints()[0].GetPriority() == rottenPriority
		case *routev3.RouteConfiguration:
			m = readTable(message)
		case *listenerv3.Listener:
			m = b.readListener(message)
		}
		b.meanings[r.Version()] = m
	}
	return m
}

func readCluster(c *clusterv3.Cluster, r cache.Resource) meaning {
	m := meaning{bad: c.GetAltStatName() == rotten, slow: len(c.GetHealthChecks()) > 0}
	if c.GetType() == clusterv3.Cluster_EDS {
		m.service = c.GetEdsClusterConfig().GetServiceName()
	}
	m.secrets = slices.Collect(r.Targets(resourcev3.SecretType))
	m.members = slices.Collect(r.Targets(resourcev3.ClusterType))
	return m
}

func readTable(t *routev3.RouteConfiguration) meaning {
	m := meaning{routes: map[string]string{}}
	m.bad = slices.Contains(t.GetInternalOnlyHeaders(), rotten)
	for _, host := range t.GetVirtualHosts() {
		for _, route := range host.GetRoutes() {
			m.routes[route.GetMatch().GetPath()] = route.GetRoute().GetCluster()
		}
		for name := range host.GetTypedPerFilterConfig() {
			m.overrides = append(m.overrides, name)
		}
	}
	return m
}

func (b *library) readListener(l *listenerv3.Listener) meaning {
	filter, err := l.GetFilterChains()[0].GetFilters()[0].GetTypedConfig().UnmarshalNew()
	if err != nil {
		b.t.Fatal(err)
	}
	var m meaning
	switch filter := filter.(type) {
	case *tcpv3.TcpProxy:
		m.routes = map[string]string{tcpPath: filter.GetCluster()}
	case *hcmv3.HttpConnectionManager:
		if m.table = filter.GetRds().GetRouteConfigName(); m.table == "" {
			m = readTable(filter.GetRouteConfig())
		}
		for _, f := range filter.GetHttpFilters() {
			m.filters = append(m.filters, f.GetName())
		}
	}
	m.bad = l.GetStatPrefix() == rotten
	return m
}
