package controlplane

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/source"
	"github.com/xdsready/xdsready/pkg/cache"
)

// A reference that dangles is logged once, not again with each later snapshot,
// and a great number of them does not fill the log.
func TestDanglingReferencesAreLoggedOnce(t *testing.T) {
	var log strings.Builder
	b := &builder{logger: slog.New(slog.NewTextHandler(&log, nil))}
	one, many := edsClusters(t, 1), edsClusters(t, 1+maxDangling+5)
	for _, step := range []struct {
		name           string
		previous, next *cache.Snapshot
		lines          int
	}{
		{"the first snapshot", nil, one, 1},
		{"nothing new", one, one, 0},
		{"many new ones", one, many, maxDangling + 1},
	} {
		log.Reset()
		b.reportDangling("all", step.previous, step.next)
		if lines := strings.Count(log.String(), "\n"); lines != step.lines {
			t.Errorf("%s: %d lines, want %d:\n%s", step.name, lines, step.lines, log.String())
		}
	}
}

// updates is a source that gives one update after another.
type updates struct {
	configSource
	next []source.Update
}

func (u *updates) Take(context.Context) source.Update {
	update := u.next[0]
	u.next = u.next[1:]
	return update
}

// A fault of a group is shown until the group is taken, or gone.
func TestFaultsOfGroupsEnd(t *testing.T) {
	bad := errors.New("bad")
	b := &builder{
		source: &updates{next: []source.Update{
			{Groups: map[string]source.Group{"a": source.Whole(nil)}, Faults: map[string]error{"b": bad, "c": bad}},
			{Groups: map[string]source.Group{"b": source.Whole(nil)}},
			{Removed: []string{"c"}},
		}},
		store: &cache.Store{}, stored: func(string) {}, contents: &contents{},
		faults: newFaults(slog.New(slog.DiscardHandler)), logger: slog.New(slog.DiscardHandler), seconds: newBuildSeconds(),
	}
	for _, want := range [][]string{{"group b", "group c"}, {"group c"}, nil} {
		b.take(t.Context(), nil)
		var got []string
		for _, f := range b.faults.all() {
			got = append(got, f.source)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("faults (-want +got):\n%s", diff)
		}
	}
	if diff := cmp.Diff([]string{"a", "b"}, b.store.Groups()); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
}

// edsClusters returns a snapshot of n clusters without load assignments.
func edsClusters(t *testing.T, n int) *cache.Snapshot {
	t.Helper()
	var resources []cache.Resource
	for i := range n {
		r, err := cache.NewResource(&clusterv3.Cluster{
			Name:                 fmt.Sprint("c", i),
			ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS},
			EdsClusterConfig: &clusterv3.Cluster_EdsClusterConfig{EdsConfig: &corev3.ConfigSource{
				ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
		resources = append(resources, r)
	}
	snapshot, err := cache.Build(resources, cache.Options{AfterInputs: true})
	if err != nil {
		t.Fatal(err)
	}
	return snapshot
}
