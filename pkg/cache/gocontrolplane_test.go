package cache

import (
	"errors"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	runtimev3 "github.com/envoyproxy/go-control-plane/envoy/service/runtime/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
)

// oneOfEach is a closed set with all types.
func oneOfEach(t *testing.T) []Resource {
	t.Helper()
	all := resources(t,
		tlsEDSCluster(t, "c", "", "tls"), assignment("c"), secret("tls", "k"),
		listener(t, "l", rds("r", ads())), routeTable("r", toCluster("c")),
		&routev3.ScopedRouteConfiguration{Name: "s", RouteConfigurationName: "r"},
		&routev3.VirtualHost{Name: "r/h", Domains: []string{"h"}},
		&corev3.TypedExtensionConfig{Name: "x", TypedConfig: pack(t, extAuthz("c"))},
		&runtimev3.Runtime{Name: "rt"},
	)
	if len(all) != len(AllTypes()) {
		t.Fatalf("%d resources for %d types", len(all), len(AllTypes()))
	}
	return all
}

func TestRoundTripOverGoControlPlane(t *testing.T) {
	plain := oneOfEach(t)
	timed := make([]Resource, len(plain))
	for i, r := range plain {
		timed[i] = r.WithTTL(time.Duration(i+1) * time.Second)
	}
	for _, tt := range []struct {
		name      string
		resources []Resource
	}{
		{"nothing", nil},
		{"one of each type", plain},
		{"one of each type, with TTLs", timed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want, err := Build(tt.resources, Options{})
			if err != nil {
				t.Fatal(err)
			}
			got, err := FromGoControlPlane(want.ToGoControlPlane(), Options{AfterInputs: true})
			if err != nil {
				t.Fatalf("FromGoControlPlane = %v", err)
			}
			if diff := cmp.Diff(said(want), said(got)); diff != "" {
				t.Errorf("after the round trip (-want +got):\n%s", diff)
			}
			for _, r := range tt.resources {
				if back, _ := got.Resource(r.TypeURL(), r.Name()); !back.Equal(r) || back.TTL() != r.TTL() {
					t.Errorf("%v came back different, with the TTL %v, want %v", r, back.TTL(), r.TTL())
				}
			}
			if !got.AfterInputs() {
				t.Error("FromGoControlPlane lost AfterInputs")
			}
		})
	}
}

func TestToGoControlPlaneHasOurVersions(t *testing.T) {
	s, err := Build(oneOfEach(t)[:3], Options{})
	if err != nil {
		t.Fatal(err)
	}
	out := s.ToGoControlPlane()
	for _, typeURL := range AllTypes() {
		if got, want := out.GetVersion(typeURL), s.Version(typeURL).String(); got != want {
			t.Errorf("version of %s = %s, want %s", Kind(typeURL), got, want)
		}
		want := map[string]string{}
		for _, r := range s.Resources(typeURL) {
			want[r.Name()] = r.Version().String()
		}
		if diff := cmp.Diff(want, out.GetVersionMap(typeURL)); diff != "" {
			t.Errorf("versions of each %s (-want +got):\n%s", Kind(typeURL), diff)
		}
	}
}

// TestInARealSnapshotCache asks go-control-plane's cache, in its ads mode, for
// what was put into it.
func TestInARealSnapshotCache(t *testing.T) {
	const node = "n"
	s := build(t, Options{},
		edsCluster("c", ""), // its load assignment is a placeholder
		listener(t, "l", rds("r", ads())), routeTable("r", toCluster("c")),
	)
	out := s.ToGoControlPlane()
	if err := out.Consistent(); err != nil {
		t.Errorf("Consistent() = %v", err)
	}
	snapshots := cachev3.NewSnapshotCache(true, cachev3.IDHash{}, nil)
	if err := snapshots.SetSnapshot(t.Context(), node, out); err != nil {
		t.Fatalf("SetSnapshot = %v", err)
	}
	for _, tt := range []struct {
		typeURL string
		names   []string
	}{
		{resourcev3.ClusterType, nil},
		{resourcev3.EndpointType, []string{"c"}},
		{resourcev3.ListenerType, nil},
		{resourcev3.RouteType, []string{"r"}},
	} {
		t.Run(Kind(tt.typeURL), func(t *testing.T) {
			request := &discoveryv3.DiscoveryRequest{
				Node: &corev3.Node{Id: node}, TypeUrl: tt.typeURL, ResourceNames: tt.names,
			}
			response, err := snapshots.Fetch(t.Context(), request)
			if err != nil {
				t.Fatalf("Fetch = %v", err)
			}
			answer, err := response.GetDiscoveryResponse()
			if err != nil {
				t.Fatal(err)
			}
			if got, want := answer.GetVersionInfo(), s.Version(tt.typeURL).String(); got != want {
				t.Errorf("version_info = %s, want %s", got, want)
			}
			want := s.Resources(tt.typeURL)
			if len(answer.GetResources()) != len(want) || !proto.Equal(answer.GetResources()[0], want[0].Any()) {
				t.Errorf("resources = %v, want %v", answer.GetResources(), want)
			}
			request.VersionInfo = answer.GetVersionInfo()
			_, err = snapshots.Fetch(t.Context(), request)
			var upToDate *types.SkipFetchError
			if !errors.As(err, &upToDate) {
				t.Errorf("Fetch with the current version = %v, want that nothing is new", err)
			}
		})
	}
}

func TestFromGoControlPlaneClosesASnapshot(t *testing.T) {
	in, err := cachev3.NewSnapshot("1", map[resourcev3.Type][]types.Resource{
		resourcev3.ClusterType: {edsCluster("c", "")},
	})
	if err != nil {
		t.Fatal(err)
	}
	if in.Consistent() == nil {
		t.Error("the input is consistent, so this test shows nothing")
	}
	s, err := FromGoControlPlane(in, Options{})
	if err != nil {
		t.Fatalf("FromGoControlPlane = %v", err)
	}
	if diff := cmp.Diff([]string{`load assignment "c"`}, lines(s.Placeholders())); diff != "" {
		t.Errorf("placeholders (-want +got):\n%s", diff)
	}
	if err := s.ToGoControlPlane().Consistent(); err != nil {
		t.Errorf("Consistent() = %v", err)
	}
}

func TestFromGoControlPlaneRefuses(t *testing.T) {
	nameless := map[string]types.Resource{}
	for name := range strings.SplitSeq("hgfedcba", "") {
		nameless[name] = &listenerv3.Listener{}
	}
	for _, tt := range []struct {
		name  string
		items map[string]types.Resource
		want  string
	}{
		{"a resource that is nil", map[string]types.Resource{"n": nil}, `resource "n" of ` + resourcev3.ListenerType + `: cannot make a resource of a nil message`},
		{"the first by name of those without a name", nameless, `resource "a" of ` + resourcev3.ListenerType + `: a listener has no name`},
		{"two that say that they have one name", map[string]types.Resource{"a": &listenerv3.Listener{Name: "a"}, "b": &listenerv3.Listener{Name: "a"}}, `two resources are listener "a"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := &cachev3.Snapshot{}
			in.Resources[types.Listener].Items = map[string]types.ResourceWithTTL{}
			for name, r := range tt.items {
				in.Resources[types.Listener].Items[name] = types.ResourceWithTTL{Resource: r}
			}
			_, err := FromGoControlPlane(in, Options{})
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("FromGoControlPlane = %v, want %q", err, tt.want)
			}
		})
	}
}
