package controlplane

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	clusterservicev3 "github.com/envoyproxy/go-control-plane/envoy/service/cluster/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/xdsready/xdsready/pkg/xds/admission"
)

// newClusterPlane makes a plane over a cluster.
func newClusterPlane(t *testing.T, kubeconfig string, change func(*Options)) *Plane {
	t.Helper()
	o := Options{
		Source: "kubernetes", Kubeconfig: kubeconfig, XDSAddress: "127.0.0.1:0", HTTPAddress: "127.0.0.1:0",
		Logger: slog.New(slog.DiscardHandler),
	}
	change(&o)
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// message returns what /readyz?verbose says of the check of a resource.
func message(p *Plane, resource string) string {
	for _, tier := range p.registry.Status().Tiers {
		for _, check := range tier.Checks {
			if tier.Name == "informers" && check.Name == resource {
				return check.Message
			}
		}
	}
	return "there is no such check"
}

// An empty cluster is an answer: the gate opens without a group.
func TestPlaneOfAnEmptyCluster(t *testing.T) {
	_, kubeconfig := startAPIServer(t)
	p := newClusterPlane(t, kubeconfig, func(o *Options) { o.Debug = true })
	get := start(t, p)
	await(t, p, "the gate's opening", p.registry.Ready)
	if groups := p.store.Groups(); len(groups) > 0 {
		t.Errorf("groups %v, want none", groups)
	}
	code, dump := get("/debug/krt")
	if code != http.StatusOK || !strings.Contains(dump, `"compiled-routes"`) || strings.Contains(dump, `"secrets"`) {
		t.Errorf("/debug/krt answers %d, wants the collections without secrets:\n%s", code, dump)
	}
	_, metrics := get("/metrics")
	for resource := range kinds {
		if !strings.Contains(metrics, `xdsready_source_stale_seconds{source="`+resource+`"} 0`) {
			t.Errorf("/metrics does not say that %s is not stale", resource)
		}
	}
}

// Before its first list a resource that cannot be read is red in the API
// server's words; afterwards that is a remark, and the plane stays ready.
func TestPlaneOfAClusterThatForbids(t *testing.T) {
	api, kubeconfig := startAPIServer(t)
	api.forbid("services")
	p := newClusterPlane(t, kubeconfig, func(*Options) {})
	get := start(t, p)
	await(t, p, "the named fault", func() bool { return strings.Contains(message(p, "services"), "you may not read services") })
	if strings.Contains(message(p, "services"), "stale") {
		t.Errorf("a resource that was never read is stale: %s", message(p, "services"))
	}
	if code, _ := get("/readyz"); code != http.StatusServiceUnavailable {
		t.Errorf("/readyz answers %d without services", code)
	}
	api.forbid("")
	await(t, p, "the gate's opening", p.registry.Ready)

	api.forbid("services")
	await(t, p, "the remark", func() bool {
		return strings.Contains(message(p, "services"), "stale since ") && strings.Contains(message(p, "services"), "you may not read services")
	})
	if code, _ := get("/readyz"); code != http.StatusOK {
		t.Errorf("/readyz answers %d while services are stale", code)
	}
	if name, _ := p.faults.stalest(); name != "services" {
		t.Errorf("the stalest resource is %q, want services", name)
	}
	api.forbid("")
	await(t, p, "the end of the remark", func() bool { return message(p, "services") == "" })
	if name, _ := p.faults.stalest(); name != "" {
		t.Errorf("%s is stale after the repair", name)
	}
}

// Without the gate a plane is ready at once and serves whatever is there, for
// tests that show what the gate is for.
func TestUngatedPlane(t *testing.T) {
	api, kubeconfig := startAPIServer(t)
	api.forbid("services")
	p := newClusterPlane(t, kubeconfig, func(o *Options) { o.Ungated = true })
	get := start(t, p)
	await(t, p, "readiness without services", p.registry.Ready)
	if _, body := get("/readyz?verbose"); strings.Contains(body, "informers") {
		t.Errorf("/readyz?verbose names tiers that do not count:\n%s", body)
	}
}

// The remark on a stale resource comes back after one on what the next request
// waits for, though the fault is the same.
func TestStaleRemarkComesBack(t *testing.T) {
	_, kubeconfig := startAPIServer(t)
	p := newClusterPlane(t, kubeconfig, func(*Options) {})
	start(t, p)
	await(t, p, "the gate's opening", p.registry.Ready)
	for range 2 {
		p.cluster.waiting("gateways", "no answer from 10.0.0.1:443")
		if got := message(p, "gateways"); got != "no answer from 10.0.0.1:443" {
			t.Errorf("while it waits: %q", got)
		}
		p.cluster.waiting("gateways", "")
		p.cluster.failed("gateways", errors.New("timed out"))
		if got := message(p, "gateways"); !strings.HasPrefix(got, "stale since 20") || !strings.HasSuffix(got, ": timed out") {
			t.Errorf("after the failure: %q", got)
		}
	}
	p.cluster.failed("gateways", nil)
	if got := message(p, "gateways"); got != "" {
		t.Errorf("after the repair: %q", got)
	}
}

// With --unready-when-stale a resource that cannot be read for longer turns
// /readyz red, and only then.
func TestUnreadyWhenStale(t *testing.T) {
	_, kubeconfig := startAPIServer(t)
	p := newClusterPlane(t, kubeconfig, func(o *Options) { o.UnreadyWhenStale = time.Nanosecond })
	start(t, p)
	await(t, p, "the gate's opening", p.registry.Ready)
	p.cluster.failed("gateways", errors.New("timed out"))
	await(t, p, "degradation", func() bool {
		return !p.registry.Ready() && strings.Contains(p.registry.Err().Error(), "gateways: stale for ")
	})
	if !p.registry.Open() {
		t.Error("the gate is shut for proxies")
	}
	p.cluster.failed("gateways", nil)
	await(t, p, "recovery", p.registry.Ready)
}

func TestFresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &clusterSource{faults: newFaults(slog.New(slog.DiscardHandler))}
		want := func(text string) {
			t.Helper()
			if err := c.fresh(time.Minute); (err == nil) != (text == "") || err != nil && !strings.Contains(err.Error(), text) {
				t.Errorf("fresh: %v, want %q", err, text)
			}
		}
		want("")
		c.faults.setStale("services", errors.New("refused"))
		time.Sleep(time.Second)
		c.faults.setStale("gateways", errors.New("refused"))
		time.Sleep(59 * time.Second)
		want("")
		c.faults.setStale("services", errors.New("still refused"))
		time.Sleep(time.Second)
		want("services: stale for 1m1s, which is longer than --unready-when-stale")
		c.faults.setStale("services", nil)
		want("")
	})
}

// What is checked before a proxy is served and what is served must be the same
// group, however a node is written.
func TestGroupOfANode(t *testing.T) {
	c := &clusterSource{}
	for _, test := range []struct {
		name, cluster string
		metadata      map[string]any
		want          string
	}{
		{"cluster", "shop/web", nil, "shop/web"},
		{"metadata", "x", map[string]any{"gateway": "shop/web"}, "shop/web"},
		{"empty metadata", "shop/web", map[string]any{"gateway": ""}, "shop/web"},
		{"metadata of another key", "shop/web", map[string]any{"Gateway": "a/b"}, "shop/web"},
		{"metadata that is no string", "shop/web", map[string]any{"gateway": []any{"a/b"}}, "shop/web"},
	} {
		t.Run(test.name, func(t *testing.T) {
			metadata, err := structpb.NewStruct(test.metadata)
			if err != nil {
				t.Fatal(err)
			}
			node := &corev3.Node{Id: "n", Cluster: test.cluster, Metadata: metadata}
			checked, served := checkedGroup(t, c, node), c.groupOf(node)
			if diff := cmp.Diff([]string{test.want, test.want}, []string{checked, served}); diff != "" {
				t.Errorf("groups checked and served (-want +got):\n%s", diff)
			}
		})
	}
}

// checkedGroup returns the group that the admission of a server sees in a node.
func checkedGroup(t *testing.T, c *clusterSource, node *corev3.Node) string {
	t.Helper()
	seen := make(chan string, 1)
	gate, err := admission.New(nil, admission.Options{Authorize: func(_ context.Context, n admission.Node) error {
		seen <- c.group(n)
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(gate.ServerOptions()...)
	clusterservicev3.RegisterClusterDiscoveryServiceServer(server, clusterservicev3.UnimplementedClusterDiscoveryServiceServer{})
	memory := bufconn.Listen(1 << 16)
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(memory) })
	defer serving.Wait()
	defer server.Stop()
	connection, err := grpc.NewClient("passthrough:///memory", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return memory.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	_, err = clusterservicev3.NewClusterDiscoveryServiceClient(connection).FetchClusters(t.Context(), &discoveryv3.DiscoveryRequest{Node: node})
	if status.Code(err) != codes.Unimplemented {
		t.Fatalf("the call ended with %v", err)
	}
	return <-seen
}

func TestNewClusterNamesWhatCannotBeUsed(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none")
	good := writeKubeconfig(t, "http://127.0.0.1:1")
	for _, test := range []struct {
		name   string
		change func(*Options)
		want   []string
	}{
		{"no kubeconfig", func(o *Options) { o.Kubeconfig = missing }, []string{"--kubeconfig: ", missing}},
		{"a bad address of the API server", func(o *Options) { o.Kubeconfig = writeKubeconfig(t, "http://[") }, []string{"making a client of the API server"}},
		{"no CRD of ours", func(o *Options) { o.OptionalCRDs = []string{"services"} }, []string{`--optional-crds: "services" is none of gatewayclasses, `}},
		{"a CRD of another group", func(o *Options) { o.OptionalCRDs = []string{"gateways.networking.istio.io"} }, []string{"--optional-crds: "}},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := Options{Source: "kubernetes", Kubeconfig: good, XDSAddress: "127.0.0.1:0", HTTPAddress: "127.0.0.1:0"}
			test.change(&o)
			_, err := New(o)
			for _, want := range test.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("New: %v, want %q in it", err, want)
				}
			}
		})
	}
}
