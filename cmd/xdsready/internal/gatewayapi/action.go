package gatewayapi

import (
	"net/http"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// setAction sets what is done with the requests of a rule: they are divided
// among its targets, or answered 500 where there is no target to go to.
func setAction(route *routev3.Route, filters []gatewayv1.HTTPRouteFilter, targets []target) {
	var clusters []*routev3.WeightedCluster_ClusterWeight
	refused := uint32(0)
	for _, t := range targets {
		switch {
		case t.cluster == refusedCluster:
			refused += t.weight
		case t.weight > 0:
			clusters = append(clusters, weighted(t.cluster, t.weight))
		}
	}
	if len(clusters) == 0 || !extension(filters).none() {
		route.Action = answer(http.StatusInternalServerError)
		return
	}
	if refused > 0 {
		clusters = append(clusters, weighted(refusedCluster, refused))
	}
	// A request may take as long as it takes: the route sets no timeout, and
	// Envoy's default would cut long downloads after 15 s.
	action := &routev3.RouteAction{
		ClusterNotFoundResponseCode: routev3.RouteAction_INTERNAL_SERVER_ERROR,
		Timeout:                     durationpb.New(0),
	}
	if len(clusters) == 1 {
		action.ClusterSpecifier = &routev3.RouteAction_Cluster{Cluster: clusters[0].Name}
	} else {
		action.ClusterSpecifier = &routev3.RouteAction_WeightedClusters{
			WeightedClusters: &routev3.WeightedCluster{Clusters: clusters},
		}
	}
	route.Action = &routev3.Route_Route{Route: action}
}

func weighted(cluster string, weight uint32) *routev3.WeightedCluster_ClusterWeight {
	return &routev3.WeightedCluster_ClusterWeight{Name: cluster, Weight: wrapperspb.UInt32(weight)}
}

// answer is the action of requests that Envoy answers itself.
func answer(status uint32) *routev3.Route_DirectResponse {
	return &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{Status: status}}
}
