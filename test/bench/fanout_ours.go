package main

import (
	"context"
	"log/slog"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/xdsready/xdsready/pkg/cache"
	"github.com/xdsready/xdsready/pkg/xds"
)

// newOurFanout returns our server over a store. Its gate is open: what a gate
// costs is measured elsewhere.
func newOurFanout(load) (*fanoutServer, error) {
	var store cache.Store
	server, err := xds.New(nil, &store, xds.Options{
		Group:  func(node *corev3.Node) string { return node.GetCluster() },
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Run(ctx) // ends with ctx; before that a proxy would notice
	}()
	return &fanoutServer{
		options:  server.GRPCOptions(),
		register: func(r *grpc.Server) { server.Register(r) },
		prepare:  ourEditions(&store),
		stop:     func() { cancel(); <-ended },
	}, nil
}

// ourEditions returns a function that builds the snapshots of an edition, so
// that only storing them is left.
func ourEditions(store *cache.Store) func(context.Context, edition) (func() error, error) {
	made := map[proto.Message]cache.Resource{}
	return func(_ context.Context, e edition) (func() error, error) {
		snapshots := map[string]*cache.Snapshot{}
		for group, config := range e.configs {
			var resources []cache.Resource
			for _, messages := range config {
				for _, message := range messages {
					resource, ok := made[message]
					if !ok {
						var err error
						if resource, err = cache.NewResource(message); err != nil {
							return nil, err
						}
						made[message] = resource
					}
					resources = append(resources, resource)
				}
			}
			snapshot, err := cache.Build(resources, cache.Options{AfterInputs: true})
			if err != nil {
				return nil, err
			}
			snapshots[group] = snapshot
		}
		return func() error {
			for group, snapshot := range snapshots {
				store.Set(group, snapshot)
			}
			return nil
		}, nil
	}
}
