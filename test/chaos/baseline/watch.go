package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3" // type of a filter
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// pollEvery is the time between two looks at the directory.
const pollEvery = 50 * time.Millisecond

// everyNode puts every proxy into one group.
type everyNode struct{}

// ID implements cachev3.NodeHash.
func (everyNode) ID(*corev3.Node) string { return "all" }

// file is what is known of one.
type file struct {
	content   []byte // that was parsed last, whether it could be or not
	resources []proto.Message
}

// watch sets a snapshot after each change of the directory, until ctx ends;
// started is called when the first look begins.
func watch(ctx context.Context, source string, snapshots cachev3.SnapshotCache, started func()) error {
	known := map[string]*file{}
	version := "" // of the last snapshot
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	started()
	for {
		look(source, known)
		snapshot, next, err := build(known)
		if err != nil {
			return err
		}
		if err := snapshot.Consistent(); err != nil {
			slog.Warn("snapshot is not consistent, the last one stays", "error", err)
		} else if next != version {
			if err := snapshots.SetSnapshot(ctx, "all", snapshot); err != nil && ctx.Err() == nil {
				return err
			}
			version = next
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// look takes over every file that has changed and parses.
func look(source string, known map[string]*file) {
	names, err := filepath.Glob(filepath.Join(source, "*.json"))
	if err != nil {
		return // the pattern is good, so never
	}
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			continue // it has just gone
		}
		f := known[name]
		if f == nil {
			f = &file{}
			known[name] = f
		}
		if bytes.Equal(content, f.content) {
			continue
		}
		f.content = content
		resources, err := parse(content)
		if err != nil {
			slog.Warn("file is at fault, what it had stays", "file", name, "error", err)
			continue
		}
		f.resources = resources
	}
}

// parse reads a file in the format of Envoy's file subscriptions.
func parse(content []byte) ([]proto.Message, error) {
	var response discoveryv3.DiscoveryResponse
	if err := protojson.Unmarshal(content, &response); err != nil {
		return nil, err
	}
	var resources []proto.Message
	for _, packed := range response.GetResources() {
		resource, err := packed.UnmarshalNew()
		if err != nil {
			return nil, err
		}
		resources = append(resources, resource)
	}
	return resources, nil
}

// build makes a snapshot of all that is known, whose version is a hash of that.
func build(known map[string]*file) (snapshot *cachev3.Snapshot, version string, err error) {
	byType := map[string][]types.Resource{}
	for _, url := range []string{resourcev3.ClusterType, resourcev3.EndpointType, resourcev3.ListenerType, resourcev3.RouteType} {
		byType[url] = nil // it has a version without resources too
	}
	hash := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(known)) {
		for _, resource := range known[name].resources {
			url := "type.googleapis.com/" + string(proto.MessageName(resource))
			byType[url] = append(byType[url], resource)
			encoded, err := proto.MarshalOptions{Deterministic: true}.Marshal(resource)
			if err != nil {
				return nil, "", err
			}
			hash.Write(encoded)
		}
	}
	version = hex.EncodeToString(hash.Sum(nil))
	snapshot, err = cachev3.NewSnapshot(version, byType)
	return snapshot, version, err
}
