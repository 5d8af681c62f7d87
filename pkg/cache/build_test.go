package cache

import (
	"errors"
	"math/rand/v2"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
)

// lines returns the texts of values, which are what people read.
func lines[T interface{ String() string }](values []T) (texts []string) {
	for _, v := range values {
		texts = append(texts, v.String())
	}
	return texts
}

// contents returns kind and name of all resources of a snapshot.
func contents(s *Snapshot) (texts []string) {
	for _, typeURL := range s.Types() {
		texts = append(texts, lines(s.Resources(typeURL))...)
	}
	return texts
}

// says is all that a snapshot says about itself.
type says struct {
	Contents, Placeholders, Withheld, Dangling, Unknowable []string
}

func said(s *Snapshot) says {
	return says{contents(s), lines(s.Placeholders()), lines(s.Withheld()), lines(s.Dangling()), lines(s.Unknowable())}
}

func TestBuild(t *testing.T) {
	header := &routev3.RouteAction{ClusterSpecifier: &routev3.RouteAction_ClusterHeader{ClusterHeader: "x"}}
	for _, tt := range []struct {
		name  string
		given []proto.Message
		want  says
	}{
		{"nothing", nil, says{}},
		{
			"a closed set stays as it is",
			[]proto.Message{listener(t, "l", rds("r", ads())), routeTable("r", toCluster("c")), edsCluster("c", ""), assignment("c")},
			says{Contents: []string{`cluster "c"`, `load assignment "c"`, `listener "l"`, `route table "r"`}},
		},
		{
			"an absent load assignment gets a placeholder",
			[]proto.Message{edsCluster("c", "service")},
			says{
				Contents:     []string{`cluster "c"`, `load assignment "service"`},
				Placeholders: []string{`load assignment "service"`},
				Dangling:     []string{`cluster "c" refers to load assignment "service"`},
			},
		},
		{
			"two clusters share one placeholder",
			[]proto.Message{edsCluster("b", "service"), edsCluster("a", "service")},
			says{
				Contents:     []string{`cluster "a"`, `cluster "b"`, `load assignment "service"`},
				Placeholders: []string{`load assignment "service"`},
				Dangling: []string{
					`cluster "a" refers to load assignment "service"`,
					`cluster "b" refers to load assignment "service"`,
				},
			},
		},
		{
			"an absent route table gets a placeholder, whoever names it",
			[]proto.Message{listener(t, "l", rds("r", ads())), &routev3.ScopedRouteConfiguration{Name: "s", RouteConfigurationName: "r2"}},
			says{
				Contents:     []string{`listener "l"`, `route table "r"`, `route table "r2"`, `scoped route "s"`},
				Placeholders: []string{`route table "r"`, `route table "r2"`},
				Dangling:     []string{`listener "l" refers to route table "r"`, `scoped route "s" refers to route table "r2"`},
			},
		},
		{
			"an absent cluster stays absent and is named",
			[]proto.Message{
				routeTable("r", toCluster("gone")),
				listener(t, "l", &tcpv3.TcpProxy{ClusterSpecifier: &tcpv3.TcpProxy_Cluster{Cluster: "gone"}}),
			},
			says{
				Contents: []string{`listener "l"`, `route table "r"`},
				Dangling: []string{`listener "l" refers to cluster "gone"`, `route table "r" refers to cluster "gone"`},
			},
		},
		{
			"what refers to an absent secret stays out, and gets no placeholder for its own needs",
			[]proto.Message{
				routeTable("r", toCluster("c")),
				&clusterv3.Cluster{
					Name:                 "c",
					ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS},
					EdsClusterConfig:     &clusterv3.Cluster_EdsClusterConfig{EdsConfig: ads()},
					TransportSocket:      tlsSocket(t, "tls", ads()),
				},
			},
			says{
				Contents: []string{`route table "r"`},
				Withheld: []string{`cluster "c" is withheld: absent secrets ["tls"]`},
				Dangling: []string{`route table "r" refers to cluster "c"`},
			},
		},
		{
			"a secret that is there is enough",
			[]proto.Message{tlsCluster(t, "c", "tls", ads()), secret("tls", "k")},
			says{Contents: []string{`cluster "c"`, `secret "tls"`}},
		},
		{
			"a secret that may come from another server withholds nothing",
			[]proto.Message{tlsCluster(t, "c", "tls", api())},
			says{
				Contents:   []string{`cluster "c"`},
				Unknowable: []string{`cluster "c": secret "tls" may come from another server (api_config_source)`},
			},
		},
		{
			"a load assignment that may come from another server gets a placeholder",
			[]proto.Message{&clusterv3.Cluster{
				Name:                 "c",
				ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS},
				EdsClusterConfig:     &clusterv3.Cluster_EdsClusterConfig{EdsConfig: api()},
			}},
			says{
				Contents:     []string{`cluster "c"`, `load assignment "c"`},
				Placeholders: []string{`load assignment "c"`},
				Dangling:     []string{`cluster "c" refers to load assignment "c"`},
			},
		},
		{
			"what no resource tells is named",
			[]proto.Message{routeTable("r", header)},
			says{
				Contents:   []string{`route table "r"`},
				Unknowable: []string{`route table "r": a request header names the cluster`},
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, said(build(t, Options{}, tt.given...))); diff != "" {
				t.Errorf("Build (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPlaceholdersAreEmpty(t *testing.T) {
	s := build(t, Options{}, edsCluster("c", ""), listener(t, "l", rds("r", ads())))
	want := map[string]proto.Message{
		resourcev3.EndpointType: assignment("c"),
		resourcev3.RouteType:    &routev3.RouteConfiguration{Name: "r"},
	}
	for _, p := range s.Placeholders() {
		if !proto.Equal(p.Message(), want[p.TypeURL()]) {
			t.Errorf("the placeholder of %v is %v, want %v", p, p.Message(), want[p.TypeURL()])
		}
		if got, ok := s.Resource(p.TypeURL(), p.Name()); !ok || !got.Equal(p) {
			t.Errorf("the placeholder of %v is not among the resources", p)
		}
	}
}

func TestBuildDoesNotDependOnOrder(t *testing.T) {
	all := resources(t,
		listener(t, "l", rds("r", ads())), listener(t, "m", rds("gone", ads())), routeTable("r", toCluster("a"), toCluster("gone")),
		edsCluster("a", ""), edsCluster("b", ""), assignment("b"), tlsCluster(t, "c", "tls", ads()), tlsCluster(t, "d", "gone", ads()),
		tlsCluster(t, "e", "else", api()), secret("tls", "k"),
	)
	first, err := Build(all, Options{})
	if err != nil {
		t.Fatal(err)
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 50 {
		random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		s, err := Build(all, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(said(first), said(s)); diff != "" {
			t.Fatalf("another order says something else (-first +now):\n%s", diff)
		}
		if s.ContentVersion() != first.ContentVersion() {
			t.Fatalf("another order has version %v, want %v", s.ContentVersion(), first.ContentVersion())
		}
	}
}

func TestBuildRefuses(t *testing.T) {
	t.Run("two resources of one name, and says where", func(t *testing.T) {
		_, err := Build(resources(t, staticCluster("a"), staticCluster("b"), assignment("b"), staticCluster("b")), Options{})
		var duplicate *DuplicateError
		if !errors.As(err, &duplicate) {
			t.Fatalf("Build = %v, want a DuplicateError", err)
		}
		want := &DuplicateError{TypeURL: resourcev3.ClusterType, Name: "b", First: 1, Second: 3}
		if diff := cmp.Diff(want, duplicate); diff != "" {
			t.Errorf("the error (-want +got):\n%s", diff)
		}
		const text = `two resources are cluster "b" (numbers 1 and 3): rename or remove one`
		if err.Error() != text {
			t.Errorf("Error() = %q, want %q", err, text)
		}
	})
	t.Run("the zero Resource", func(t *testing.T) {
		_, err := Build([]Resource{resource(t, staticCluster("a")), {}}, Options{})
		const text = "resource number 1 is the zero Resource: make it with NewResource"
		if err == nil || err.Error() != text {
			t.Errorf("Build = %v, want %q", err, text)
		}
	})
}
