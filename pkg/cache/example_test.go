package cache_test

import (
	"fmt"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/protobuf/proto"

	"github.com/xdsready/xdsready/pkg/cache"
)

// web is a cluster that takes its endpoints from this control plane.
func web() *clusterv3.Cluster {
	return &clusterv3.Cluster{
		Name:                 "web",
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS},
		EdsClusterConfig: &clusterv3.Cluster_EdsClusterConfig{EdsConfig: &corev3.ConfigSource{
			ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
		}},
	}
}

// routes sends everything to one cluster.
func routes(cluster string) *routev3.RouteConfiguration {
	action := &routev3.RouteAction{ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: cluster}}
	return &routev3.RouteConfiguration{Name: "routes", VirtualHosts: []*routev3.VirtualHost{{
		Name: "all", Domains: []string{"*"},
		Routes: []*routev3.Route{{Action: &routev3.Route_Route{Route: action}}},
	}}}
}

// resources makes resources of messages.
func resources(messages ...proto.Message) []cache.Resource {
	var all []cache.Resource
	for _, m := range messages {
		r, err := cache.NewResource(m)
		if err != nil {
			panic(err)
		}
		all = append(all, r)
	}
	return all
}

// What is referred to and absent is named, and never holds anything up: the
// cluster gets an empty load assignment, so that no proxy waits for one.
func ExampleBuild() {
	snapshot, err := cache.Build(resources(routes("api"), web()), cache.Options{AfterInputs: true})
	if err != nil {
		panic(err)
	}
	for _, reference := range snapshot.Dangling() {
		fmt.Println(reference)
	}
	for _, placeholder := range snapshot.Placeholders() {
		fmt.Println("placeholder:", placeholder)
	}
	// Output:
	// cluster "web" refers to load assignment "web"
	// route table "routes" refers to cluster "api"
	// placeholder: load assignment "web"
}

// A control plane with an xDS server of its own can take its version_info from
// here: what has not changed keeps its version, on every replica and over every
// restart, and is not sent again.
func ExampleContentVersion() {
	first := cache.ContentVersion(resources(web(), routes("web")))
	rebuilt := cache.ContentVersion(resources(routes("web"), web()))
	changed := cache.ContentVersion(resources(routes("api"), web()))
	fmt.Println("rebuilt in another order, same version:", rebuilt == first)
	fmt.Println("one route changed, same version:", changed == first)
	fmt.Println("version_info has", len(first.String()), "digits")
	// Output:
	// rebuilt in another order, same version: true
	// one route changed, same version: false
	// version_info has 32 digits
}

// A program that computes go-control-plane snapshots gets closed ones with
// content versions, for the SnapshotCache that it has.
func ExampleFromGoControlPlane() {
	mine, err := cachev3.NewSnapshot("42", map[resourcev3.Type][]types.Resource{
		resourcev3.ClusterType: {web()},
	})
	if err != nil {
		panic(err)
	}
	snapshot, err := cache.FromGoControlPlane(mine, cache.Options{AfterInputs: true})
	if err != nil {
		panic(err)
	}
	closed := snapshot.ToGoControlPlane()
	fmt.Println("was consistent:", mine.Consistent() == nil)
	fmt.Println("is consistent:", closed.Consistent() == nil)
	fmt.Println("version follows content:", closed.GetVersion(resourcev3.ClusterType) == cache.ContentVersion(resources(web())).String())
	// Output:
	// was consistent: false
	// is consistent: true
	// version follows content: true
}

// A server follows the store: it takes the channel first and reads then, so
// that no change falls between the two.
func ExampleStore_Changed() {
	var store cache.Store
	changed := store.Changed()
	fmt.Println("groups:", store.Groups())

	snapshot, err := cache.Build(resources(&endpointv3.ClusterLoadAssignment{ClusterName: "web"}), cache.Options{AfterInputs: true})
	if err != nil {
		panic(err)
	}
	store.Set("edge", snapshot)

	<-changed
	fmt.Println("groups:", store.Groups())
	// Output:
	// groups: []
	// groups: [edge]
}
