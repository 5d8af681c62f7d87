package kubernetes

import (
	"cmp"
	"slices"
	"strings"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/xdsready/xdsready/pkg/cache"
)

// content is what a group's resources come to.
type content struct {
	routes    map[string]string // entry, as "TAG/NUMBER" → cluster, "" for a direct answer
	clusters  map[string]bool
	endpoints map[string][]string // addresses by cluster
}

func newContent(resources []cache.Resource) content {
	c := content{routes: map[string]string{}, clusters: map[string]bool{}, endpoints: map[string][]string{}}
	for _, r := range resources {
		switch m := r.Message().(type) {
		case *clusterv3.Cluster:
			c.clusters[m.Name] = true
		case *endpointv3.ClusterLoadAssignment:
			c.endpoints[m.ClusterName] = []string{}
			for _, locality := range m.Endpoints {
				for _, e := range locality.LbEndpoints {
					c.endpoints[m.ClusterName] = append(c.endpoints[m.ClusterName], e.GetEndpoint().GetAddress().GetSocketAddress().GetAddress())
				}
			}
		case *routev3.RouteConfiguration:
			for _, host := range m.VirtualHosts {
				for _, entry := range host.Routes {
					path := cmp.Or(entry.Match.GetPathSeparatedPrefix(), entry.Match.GetPrefix())
					c.routes[strings.TrimPrefix(path, "/")] = entry.GetRoute().GetCluster()
				}
			}
		}
	}
	return c
}

// versions returns the content version of each group.
func versions(t *testing.T, groups map[string][]cache.Resource) map[string]string {
	t.Helper()
	all := map[string]string{}
	for group, resources := range groups {
		snapshot, err := cache.Build(slices.Clone(resources), cache.Options{AfterInputs: true})
		if err != nil {
			t.Errorf("group %s: %v", group, err)
			continue
		}
		all[group] = snapshot.ContentVersion().String()
	}
	return all
}
