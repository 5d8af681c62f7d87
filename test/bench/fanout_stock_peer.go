package main

import (
	"context"
	"strconv"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	serverv3 "github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
)

// newStockFanout returns go-control-plane's server with its snapshot cache in
// ADS mode, as its own example sets them up.
func newStockFanout(load) (*fanoutServer, error) {
	snapshots := cachev3.NewSnapshotCache(true, byCluster{}, nil)
	server := serverv3.NewServer(context.Background(), snapshots, nil)
	return &fanoutServer{
		register: func(r *grpc.Server) { discoveryv3.RegisterAggregatedDiscoveryServiceServer(r, server) },
		prepare: func(ctx context.Context, e edition) (func() error, error) {
			made := map[string]*cachev3.Snapshot{}
			for group, config := range e.configs {
				resources := map[string][]types.Resource{}
				for typeURL, messages := range config {
					for _, message := range messages {
						resources[typeURL] = append(resources[typeURL], message)
					}
				}
				snapshot, err := cachev3.NewSnapshot(strconv.Itoa(e.number), resources)
				if err != nil {
					return nil, err
				}
				made[group] = snapshot
			}
			return func() error {
				for group, snapshot := range made {
					if err := snapshots.SetSnapshot(ctx, group, snapshot); err != nil {
						return err
					}
				}
				return nil
			}, nil
		},
	}, nil
}

// byCluster makes the cluster in a proxy's node its node group.
type byCluster struct{}

// ID implements cachev3.NodeHash.
func (byCluster) ID(node *corev3.Node) string { return node.GetCluster() }
