package cache

import (
	"slices"
	"testing"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/anypb"
)

func TestRefers(t *testing.T) {
	r := resource(t, tlsCluster(t, "c", "tls", ads()))
	if got := slices.Collect(r.Targets(resourcev3.SecretType)); !slices.Equal(got, []string{"tls"}) {
		t.Errorf("secrets = %q, want tls", got)
	}
	if got := slices.Collect(r.Targets(resourcev3.ListenerType)); len(got) > 0 {
		t.Errorf("listeners = %q, want none", got)
	}
	if !r.Refers(resourcev3.SecretType, "tls") || r.Refers(resourcev3.SecretType, "tl") || r.Refers(resourcev3.ClusterType, "tls") {
		t.Error("Refers does not tell type and name apart")
	}
}

// A route table's levels can each configure a filter for themselves.
func TestFilters(t *testing.T) {
	manager, err := anypb.New(&hcmv3.HttpConnectionManager{HttpFilters: []*hcmv3.HttpFilter{{Name: "router"}, {Name: "cors"}}})
	if err != nil {
		t.Fatal(err)
	}
	listener := resource(t, &listenerv3.Listener{Name: "l", FilterChains: []*listenerv3.FilterChain{{
		Filters: []*listenerv3.Filter{{Name: "http", ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: manager}}},
	}}})
	if diff := cmp.Diff([]string{"cors", "router"}, listener.HTTPFilters()); diff != "" {
		t.Errorf("filters (-want +got):\n%s", diff)
	}
	overrides := func(name string) map[string]*anypb.Any { return map[string]*anypb.Any{name: {}} }
	table := resource(t, &routev3.RouteConfiguration{
		Name:                 "r",
		TypedPerFilterConfig: overrides("table"),
		VirtualHosts: []*routev3.VirtualHost{{
			Name:                 "h",
			TypedPerFilterConfig: overrides("host"),
			Routes: []*routev3.Route{{
				TypedPerFilterConfig: overrides("route"),
				Action: &routev3.Route_Route{Route: &routev3.RouteAction{ClusterSpecifier: &routev3.RouteAction_WeightedClusters{
					WeightedClusters: &routev3.WeightedCluster{Clusters: []*routev3.WeightedCluster_ClusterWeight{
						{Name: "c", TypedPerFilterConfig: overrides("weight")},
					}},
				}}},
			}},
		}},
	})
	if diff := cmp.Diff([]string{"host", "route", "table", "weight"}, table.FilterOverrides()); diff != "" {
		t.Errorf("overrides (-want +got):\n%s", diff)
	}
}

func TestParseVersion(t *testing.T) {
	v := resource(t, staticCluster("a")).Version()
	if got, ok := ParseVersion(v.String()); !ok || got != v {
		t.Errorf("ParseVersion(String()) = %v, %t", got, ok)
	}
	for _, text := range []string{"", "12", v.String() + "00", "z" + v.String()[1:]} {
		if _, ok := ParseVersion(text); ok {
			t.Errorf("ParseVersion(%q) is ok", text)
		}
	}
}
