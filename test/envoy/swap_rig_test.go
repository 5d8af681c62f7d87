package envoy

import (
	"log/slog"
	"os"
	"strconv"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/xdsready/xdsready/pkg/cache"
	"github.com/xdsready/xdsready/pkg/xds"
)

// swapCount is how many swaps each series has: a few, or SWAPS.
func swapCount(t *testing.T) int {
	t.Helper()
	text := os.Getenv("SWAPS")
	if text == "" {
		return 10
	}
	count, err := strconv.Atoi(text)
	if err != nil || count < 1 {
		t.Fatalf("SWAPS=%s: it must be a number of swaps", text)
	}
	return count
}

// publisher is an xDS server whose config the test replaces.
type publisher interface {
	// publish makes resources the config of every proxy.
	publish(t *testing.T, resources []cache.Resource)
}

// ordered is our server, without a gate.
type ordered struct {
	store    cache.Store
	previous *cache.Snapshot
	address  string // of the xDS server
}

// startOrdered runs the server until the test ends.
func startOrdered(t *testing.T, removalDelay time.Duration) *ordered {
	t.Helper()
	o := &ordered{}
	server, err := xds.New(nil, &o.store, xds.Options{RemovalDelay: removalDelay, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	grpcServer := grpc.NewServer(server.GRPCOptions()...)
	server.Register(grpcServer)
	o.address = serve(t, grpcServer, nil, false, server.Run)
	return o
}

// publish implements publisher.
func (o *ordered) publish(t *testing.T, resources []cache.Resource) {
	t.Helper()
	snapshot, err := cache.Build(resources, cache.Options{Previous: o.previous, AfterInputs: true})
	if err != nil {
		t.Fatal(err)
	}
	o.store.Set(xds.AllGroup, snapshot)
	o.previous = snapshot
}

// runSwaps takes one Envoy through the series while requests of all kinds are
// sent, each swap (or burst of them) as soon as the one before is seen in the
// answers. The traffic goes on until Envoy has removed all that was replaced. The title says which
// server this is, for the log.
func runSwaps(t *testing.T, title string, s scenario, server publisher, bootstrap string) *traffic {
	t.Helper()
	backends := [2]string{startBackend(t), startBackend(t)}
	beside := parse(t, s.beside)
	publish := func(n int) (backend string) {
		backend = backends[n%len(backends)]
		server.publish(t, append(parse(t, s.config(n, backend)), beside...))
		return backend
	}
	switching := []string{"keep-alive", "new connections"}
	var flags []string
	if s.drain != "" {
		flags, switching = []string{"--drain-time-s", s.drain}, []string{"new connections"}
	}

	publish(0)
	envoy := startEnvoy(t, bootstrap, "all", flags...)
	eventually(t, "traffic through Envoy", envoy.serves)
	clusters := envoy.stat("cluster_manager.active_clusters")
	if clusters == "" {
		t.Fatal("Envoy does not say how many clusters it has")
	}
	traffic := startTraffic(t, envoy, title+", "+s.name)
	burst := max(1, s.burst)
	for n := 1; n <= swapCount(t)*burst; n++ {
		traffic.swap()
		backend := publish(n)
		if n%burst == 0 {
			eventually(t, "the swap", func() bool { return traffic.reached(backend, switching...) })
		}
	}
	eventually(t, "the removal of the old clusters", func() bool {
		return envoy.stat("cluster_manager.active_clusters") == clusters
	})
	if value := envoy.stat(s.witness); s.witness != "" && (value == "" || value == "0") {
		t.Errorf("Envoy's %s is %q: what the series is about did not happen", s.witness, value)
	}
	traffic.stop()
	return traffic
}
