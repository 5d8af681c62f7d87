package gocontrolplane

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/xdsready/xdsready/pkg/cache"
	"github.com/xdsready/xdsready/pkg/xds"
)

// nodeID is a node, and its node group.
const nodeID = "n"

// following are the groups of a cache in a bubble of fake time.
func following(t *testing.T, c cachev3.Cache, log *lines) *groups {
	t.Helper()
	logger := slog.New(slog.NewTextHandler(log, nil))
	return newGroups(t.Context(), c, Options{Server: xds.Options{Logger: logger}}.withDefaults())
}

func (g *groups) joinNode() *follower { return g.join(&corev3.Node{Id: nodeID}) }

// mustHave compares the names of the clusters that the store has; a group that
// is not known has none.
func (g *groups) mustHave(t *testing.T, want ...string) {
	t.Helper()
	var got []string
	snapshot, _ := g.store.Get(nodeID)
	for _, r := range snapshot.Resources(resourcev3.ClusterType) {
		got = append(got, r.Name())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("clusters in the store (-want +got):\n%s", diff)
	}
}

// mustFollowNothing looks for what a group that was let go could leave behind.
func (g *groups) mustFollowNothing(t *testing.T, snapshots cachev3.SnapshotCache) {
	t.Helper()
	synctest.Wait()
	if len(g.followers) > 0 {
		t.Errorf("%d followers are left", len(g.followers))
	}
	if n := snapshots.GetStatusInfo(nodeID).GetNumDeltaWatches(); n > 0 {
		t.Errorf("%d watches are left", n)
	}
}

// set stores a snapshot of clusters.
func set(t *testing.T, snapshots cachev3.SnapshotCache, names ...string) {
	t.Helper()
	var clusters []types.Resource
	for _, name := range names {
		clusters = append(clusters, &clusterv3.Cluster{Name: name})
	}
	setResources(t, snapshots, clusters...)
}

// setResources stores a snapshot of clusters and secrets.
func setResources(t *testing.T, snapshots cachev3.SnapshotCache, resources ...types.Resource) {
	t.Helper()
	byType := map[resourcev3.Type][]types.Resource{}
	for _, r := range resources {
		typeURL := resourcev3.APITypePrefix + string(proto.MessageName(r))
		byType[typeURL] = append(byType[typeURL], r)
	}
	s, err := cachev3.NewSnapshot(fmt.Sprint(resources), byType)
	if err != nil {
		t.Fatal(err)
	}
	if err := snapshots.SetSnapshot(t.Context(), nodeID, s); err != nil {
		t.Fatal(err)
	}
}

// TestRetention has a group that loses its last stream, gets another, and loses
// that too.
func TestRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		snapshots := cachev3.NewSnapshotCache(true, cachev3.IDHash{}, nil)
		set(t, snapshots, "a")
		g := following(t, snapshots, &lines{})
		first, second := g.joinNode(), g.joinNode()
		g.mustHave(t, "a") // at once, without waiting for a watch
		g.leave(first)
		time.Sleep(2 * cache.DefaultRetention)
		g.mustHave(t, "a")

		g.leave(second)
		time.Sleep(cache.DefaultRetention - time.Second)
		set(t, snapshots, "b")
		synctest.Wait()
		g.mustHave(t, "b") // still followed
		third := g.joinNode()
		time.Sleep(time.Hour)
		g.mustHave(t, "b")

		g.leave(third)
		time.Sleep(cache.DefaultRetention + time.Second)
		g.mustHave(t)
		set(t, snapshots, "c")
		synctest.Wait()
		g.mustHave(t)
		g.mustFollowNothing(t, snapshots)
		g.leave(g.joinNode())
		g.mustHave(t, "c")
	})
}

// TestUnknownGroup has a group that the cache does not know: it costs nothing
// when its stream has gone.
func TestUnknownGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		snapshots := cachev3.NewSnapshotCache(true, cachev3.IDHash{}, nil)
		g := following(t, snapshots, &lines{})
		f := g.joinNode()
		synctest.Wait()
		g.leave(f)
		g.mustFollowNothing(t, snapshots)
		if _, known := g.store.Get(nodeID); known {
			t.Error("the group is known")
		}
	})
}

// TestEmptySnapshot stores a snapshot of nothing: that is an answer.
func TestEmptySnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		snapshots := cachev3.NewSnapshotCache(true, cachev3.IDHash{}, nil)
		g := following(t, snapshots, &lines{})
		g.joinNode()
		synctest.Wait()
		if err := snapshots.SetSnapshot(t.Context(), nodeID, &cachev3.Snapshot{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if snapshot, known := g.store.Get(nodeID); !known || !snapshot.AfterInputs() {
			t.Errorf("known %t, after inputs %t, want both", known, snapshot.AfterInputs())
		}
	})
}

// TestWithheld takes away the secret of a cluster: the last good cluster, which
// only the snapshot before has, stays.
func TestWithheld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tls, err := anypb.New(&tlsv3.UpstreamTlsContext{CommonTlsContext: &tlsv3.CommonTlsContext{
			TlsCertificateSdsSecretConfigs: []*tlsv3.SdsSecretConfig{{Name: "s", SdsConfig: &corev3.ConfigSource{
				ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
			}}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		a := &clusterv3.Cluster{Name: "a", TransportSocket: &corev3.TransportSocket{
			Name: "tls", ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: tls},
		}}
		snapshots := cachev3.NewSnapshotCache(true, cachev3.IDHash{}, nil)
		setResources(t, snapshots, a, &tlsv3.Secret{Name: "s"})
		g := following(t, snapshots, &lines{})
		g.joinNode()
		synctest.Wait()
		setResources(t, snapshots, a, &clusterv3.Cluster{Name: "b"})
		synctest.Wait()
		g.mustHave(t, "a", "b")
	})
}

// TestClearSnapshot clears a group and stores it again, which SnapshotCache tells
// no watch of.
func TestClearSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		snapshots := cachev3.NewSnapshotCache(true, cachev3.IDHash{}, nil)
		set(t, snapshots, "a")
		g := following(t, snapshots, &lines{})
		g.joinNode()
		synctest.Wait()
		for _, names := range []string{"b", "c"} {
			snapshots.ClearSnapshot(nodeID)
			time.Sleep(time.Minute)
			set(t, snapshots, names)
			time.Sleep(lookEvery)
			synctest.Wait()
			g.mustHave(t, names)
			snapshots.ClearSnapshot(nodeID)
			set(t, snapshots, names+names)
			time.Sleep(lookEvery)
			synctest.Wait()
			g.mustHave(t, names+names)
		}
	})
}

// TestWatchesLost clears a group that another client of the cache asks for: the
// cache then has a watch of the group, but only that one.
func TestWatchesLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		snapshots := cachev3.NewSnapshotCache(true, cachev3.IDHash{}, nil)
		set(t, snapshots, "a")
		g := following(t, snapshots, &lines{})
		g.joinNode()
		synctest.Wait()
		snapshots.ClearSnapshot(nodeID)
		other := &watch{
			route: route{snapshots, []string{resourcev3.SecretType}}, group: nodeID,
			node: &corev3.Node{Id: nodeID}, changed: make(chan struct{}, 1),
		}
		go other.run(t.Context())
		synctest.Wait()
		set(t, snapshots, "b")
		time.Sleep(lookEvery)
		synctest.Wait()
		g.mustHave(t, "b")
	})
}

// TestGathered has changes of two caches of a MuxCache that belong together:
// no snapshot has only one of them.
func TestGathered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clusters := cachev3.NewLinearCache(resourcev3.ClusterType)
		endpoints := cachev3.NewLinearCache(resourcev3.EndpointType)
		g := following(t, &cachev3.MuxCache{
			Classify: func(r *cachev3.Request) string { return r.GetTypeUrl() },
			Caches:   map[string]cachev3.Cache{resourcev3.ClusterType: clusters, resourcev3.EndpointType: endpoints},
		}, &lines{})
		g.joinNode()
		time.Sleep(time.Second)

		changed := g.store.Changed()
		if err := clusters.UpdateResource("a", &clusterv3.Cluster{Name: "a"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
		if err := endpoints.UpdateResource("a", &endpointv3.ClusterLoadAssignment{ClusterName: "a"}); err != nil {
			t.Fatal(err)
		}
		<-changed
		g.mustHave(t, "a")
		snapshot, _ := g.store.Get(nodeID)
		if got := len(snapshot.Resources(resourcev3.EndpointType)); got != 1 {
			t.Errorf("the first snapshot with the cluster has %d load assignments, want 1", got)
		}
	})
}

// TestWatchEnds stores what cannot be encoded, which makes go-control-plane end
// the watch: the group is followed again.
func TestWatchEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lines
		snapshots := cachev3.NewSnapshotCache(true, cachev3.IDHash{}, nil)
		set(t, snapshots, "a")
		g := following(t, snapshots, &log)
		g.joinNode()
		synctest.Wait()

		bad := &cachev3.Snapshot{}
		bad.Resources[types.Cluster] = cachev3.Resources{Version: "bad", Items: map[string]types.ResourceWithTTL{
			"b": {Resource: &clusterv3.Cluster{Name: "b\xff"}},
		}}
		// The versions of resources, so that it is the answer that fails.
		bad.VersionMap = map[string]map[string]string{resourcev3.ClusterType: {"b": "1"}}
		if err := snapshots.SetSnapshot(t.Context(), nodeID, bad); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		g.mustHave(t, "a")

		set(t, snapshots, "c")
		time.Sleep(2 * time.Second)
		g.mustHave(t, "c")
		if got := log.all(); len(got) != 1 || !strings.Contains(got[0], "UTF-8") {
			t.Errorf("log: %q, want one line that says what cannot be encoded", got)
		}
	})
}

// TestFailureIsLoggedOnce stores a snapshot that makes no snapshot of ours, and
// whose change is seen for each of its types.
func TestFailureIsLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lines
		snapshots := cachev3.NewSnapshotCache(true, cachev3.IDHash{}, nil)
		set(t, snapshots, "a")
		g := following(t, snapshots, &log)
		f := g.joinNode()
		bad := &cachev3.Snapshot{}
		bad.Resources[types.Cluster] = cachev3.Resources{Version: "bad", Items: map[string]types.ResourceWithTTL{
			"x": {Resource: &clusterv3.Cluster{Name: "b"}}, "y": {Resource: &clusterv3.Cluster{Name: "b"}},
		}}
		for range 3 {
			if err := snapshots.SetSnapshot(t.Context(), nodeID, bad); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			f.refresh()
		}
		g.mustHave(t, "a")
		want := []string{`level=ERROR msg="snapshot not taken: the last good one stays" group=n ` +
			`error="two resources are cluster \"b\" (numbers 0 and 1): rename or remove one"`}
		if diff := cmp.Diff(want, log.all()); diff != "" {
			t.Errorf("log (-want +got):\n%s", diff)
		}
	})
}

// lines is a log without times.
type lines struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

func (l *lines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, rest, _ := strings.Cut(string(line), " ")
	l.text.WriteString(rest)
	return len(line), nil
}

func (l *lines) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Split(strings.TrimSpace(l.text.String()), "\n")
}
