// Package cache answers "what is the config?": it turns xDS resources into
// immutable, closed snapshots whose versions depend on content alone.
//
//	proto messages ──NewResource──▶ Resource ──Build──▶ Snapshot ──Set──▶ Store ──Get──▶ xDS server
//	                 encoded once,             closure,            node group →       follows
//	                 version, references       placeholders        latest snapshot    Changed
//
// # Words
//
//   - [Resource]: one named xDS message with its encoding, its version and what
//     it refers to.
//   - [Snapshot]: the complete config of one node group.
//   - Node group: the proxies that get the same snapshot.
//   - [Version]: 128 bits of hash over content; of a set, an order-free sum.
//   - Dangling: a [Reference] whose resource is absent.
//   - Placeholder: an empty load assignment or route table in the place of an
//     absent one, so that a proxy need not wait for it.
//   - [Withheld]: a resource that is not sent, because a secret it needs is absent.
//     The last good one stays, with all it needs; a new one stays out.
//   - [Unknowable]: something may be needed that no resource names.
//
// # Guarantees
//
//   - Equal content has an equal version on every replica of one build, in every
//     order, after every restart.
//   - A snapshot holds no reference to an absent secret, load assignment or route
//     table that its proxies ask this control plane for. What is absent never
//     makes Build fail: it is named, and so is a resource that is withheld for it.
//   - A snapshot computed before its inputs were known never replaces, in a
//     Store, one computed after.
//   - Nothing given out changes afterwards, and nothing given in is changed.
//
// # Not guaranteed
//
//   - Validity: Envoy's own rules are not applied here.
//   - Finer than a resource: a listener with one absent secret is withheld with
//     all its filter chains, and a route table with all its hosts. Where tenants
//     share one, leave out what needs the secret before you make the resource.
//   - Acceptance: Envoy rejects a listener whose inline route_config names a
//     cluster that does not exist, unless that says validate_clusters: false.
//   - A cluster in the proxies' bootstrap is in no snapshot, so a reference to it
//     is listed as dangling. That does no harm: nothing waits for it.
//   - Resources fetched with an api_config_source may come from another server.
//     An absent load assignment or route table of that kind gets a placeholder,
//     which is harmless if nobody asks; an absent secret is listed as unknowable
//     and withholds nothing, unless this control plane has served it before.
//   - References by file, and secrets without sds_config, are the proxy's own.
//   - An Any whose Go package is not linked into the program is carried as it is
//     and listed as unknowable.
//   - Clusters that code calls (Lua, Wasm, dynamic modules) or that contrib
//     extensions name are not seen.
//   - Order on the wire: that is the server's matter.
//
// # A whole program
//
//	package main
//
//	import (
//		"fmt"
//		"log"
//
//		clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
//		"github.com/xdsready/xdsready/pkg/cache"
//	)
//
//	func main() {
//		web, err := cache.NewResource(&clusterv3.Cluster{Name: "web"})
//		if err != nil {
//			log.Fatal(err)
//		}
//		snapshot, err := cache.Build([]cache.Resource{web}, cache.Options{AfterInputs: true})
//		if err != nil {
//			log.Fatal(err)
//		}
//		var store cache.Store
//		store.Set("all", snapshot)
//		fmt.Println(snapshot.Version(web.TypeURL()))
//	}
package cache
