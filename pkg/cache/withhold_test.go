package cache

import (
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
)

// tlsEDSCluster takes endpoints from service, and needs a secret unless that
// is "".
func tlsEDSCluster(t *testing.T, name, service, secret string) *clusterv3.Cluster {
	t.Helper()
	c := edsCluster(name, service)
	if secret != "" {
		c.TransportSocket = tlsSocket(t, secret, ads())
	}
	return c
}

// tlsListener takes its routes from a table, and needs a secret.
func tlsListener(t *testing.T, routes, secret string) *listenerv3.Listener {
	t.Helper()
	l := listener(t, "l", rds(routes, ads()))
	l.FilterChains[0].TransportSocket = tlsSocket(t, secret, ads())
	return l
}

// ring is a listener whose cluster leads back to it.
func ring(t *testing.T, secret string) *listenerv3.Listener {
	t.Helper()
	l := listener(t, "l", &tcpv3.TcpProxy{ClusterSpecifier: &tcpv3.TcpProxy_Cluster{Cluster: "c"}})
	l.FilterChains[0].TransportSocket = tlsSocket(t, secret, ads())
	return l
}

// TestLastGoodStays: each step is a set of resources that is built upon the
// step before; what counts is what the last one says.
func TestLastGoodStays(t *testing.T) {
	for _, tt := range []struct {
		name  string
		steps [][]proto.Message
		want  says
	}{
		{
			"a cluster whose secret goes missing, with the secret",
			[][]proto.Message{
				{tlsCluster(t, "c", "tls", ads()), secret("tls", "k")},
				{tlsCluster(t, "c", "tls", ads())},
			},
			says{
				Contents: []string{`cluster "c"`, `secret "tls"`},
				Withheld: []string{`cluster "c" is withheld: absent secrets ["tls"]; the last good one stays`},
			},
		},
		{
			"for as long as the secret is missing",
			[][]proto.Message{
				{tlsCluster(t, "c", "tls", ads()), secret("tls", "k")},
				{tlsCluster(t, "c", "tls", ads())},
				{tlsCluster(t, "c", "tls", ads()), staticCluster("d")},
				{tlsCluster(t, "c", "tls", ads())},
			},
			says{
				Contents: []string{`cluster "c"`, `secret "tls"`},
				Withheld: []string{`cluster "c" is withheld: absent secrets ["tls"]; the last good one stays`},
			},
		},
		{
			"until the secret is there",
			[][]proto.Message{
				{tlsCluster(t, "c", "old", ads()), secret("old", "k")},
				{tlsCluster(t, "c", "new", ads())},
				{tlsCluster(t, "c", "new", ads()), secret("new", "k")},
			},
			says{Contents: []string{`cluster "c"`, `secret "new"`}},
		},
		{
			"until it is removed, and then the secret goes too",
			[][]proto.Message{
				{tlsCluster(t, "c", "tls", ads()), secret("tls", "k")},
				{tlsCluster(t, "c", "tls", ads())},
				{staticCluster("d")},
			},
			says{Contents: []string{`cluster "d"`}},
		},
		{
			"a serving cluster that is changed to need an absent secret, with its endpoints",
			[][]proto.Message{
				{tlsEDSCluster(t, "c", "v1", ""), assignment("v1")},
				{tlsEDSCluster(t, "c", "v2", "tls"), assignment("v2")},
			},
			says{
				Contents: []string{`cluster "c"`, `load assignment "v1"`, `load assignment "v2"`},
				Withheld: []string{`cluster "c" is withheld: absent secrets ["tls"]; the last good one stays`},
			},
		},
		{
			"a listener with its routes, their cluster, its endpoints and its secret",
			[][]proto.Message{
				{
					tlsListener(t, "r1", "cert1"), secret("cert1", "k"), routeTable("r1", toCluster("c1")),
					tlsEDSCluster(t, "c1", "", "tls1"), assignment("c1"), secret("tls1", "k"),
				},
				{tlsListener(t, "r2", "cert2"), routeTable("r2", toCluster("c2")), staticCluster("c2")},
			},
			says{
				Contents: []string{
					`cluster "c1"`, `cluster "c2"`, `load assignment "c1"`, `listener "l"`,
					`route table "r1"`, `route table "r2"`, `secret "cert1"`, `secret "tls1"`,
				},
				Withheld: []string{`listener "l" is withheld: absent secrets ["cert2"]; the last good one stays`},
			},
		},
		{
			"what is given anew counts, not what the last good one had",
			[][]proto.Message{
				{tlsListener(t, "r", "cert"), secret("cert", "k"), routeTable("r", toCluster("old"))},
				{tlsListener(t, "r", "cert"), routeTable("r", toCluster("new"))},
			},
			says{
				Contents: []string{`listener "l"`, `route table "r"`, `secret "cert"`},
				Withheld: []string{`listener "l" is withheld: absent secrets ["cert"]; the last good one stays`},
				Dangling: []string{`route table "r" refers to cluster "new"`},
			},
		},
		{
			"a placeholder is no last good one",
			[][]proto.Message{
				{edsCluster("c", "")},
				{tlsEDSCluster(t, "c", "", "tls")},
			},
			says{
				Contents:     []string{`cluster "c"`, `load assignment "c"`},
				Placeholders: []string{`load assignment "c"`},
				Withheld:     []string{`cluster "c" is withheld: absent secrets ["tls"]; the last good one stays`},
				Dangling:     []string{`cluster "c" refers to load assignment "c"`},
			},
		},
		{
			"a secret that stays for a last good cluster lets no new cluster in",
			[][]proto.Message{
				{tlsCluster(t, "c", "tls", ads()), secret("tls", "k")},
				{tlsCluster(t, "c", "tls", ads()), tlsCluster(t, "new", "tls", ads())},
			},
			says{
				Contents: []string{`cluster "c"`, `secret "tls"`},
				Withheld: []string{
					`cluster "c" is withheld: absent secrets ["tls"]; the last good one stays`,
					`cluster "new" is withheld: absent secrets ["tls"]`,
				},
			},
		},
		{
			"a secret of a management server that was served from here is known absent",
			[][]proto.Message{
				{tlsCluster(t, "c", "tls", api()), secret("tls", "k")},
				{tlsCluster(t, "c", "tls", api())},
			},
			says{
				Contents: []string{`cluster "c"`, `secret "tls"`},
				Withheld: []string{`cluster "c" is withheld: absent secrets ["tls"]; the last good one stays`},
			},
		},
		{
			"resources that refer to each other in a ring end",
			[][]proto.Message{
				{ring(t, "cert"), internalAssignment("c", "l"), edsCluster("c", ""), secret("cert", "k")},
				{ring(t, "cert")},
			},
			says{
				Contents: []string{`cluster "c"`, `load assignment "c"`, `listener "l"`, `secret "cert"`},
				Withheld: []string{`listener "l" is withheld: absent secrets ["cert"]; the last good one stays`},
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var last *Snapshot
			for _, step := range tt.steps {
				last = build(t, Options{Previous: last}, step...)
			}
			if diff := cmp.Diff(tt.want, said(last)); diff != "" {
				t.Errorf("the last step (-want +got):\n%s", diff)
			}
		})
	}
}

// TestLastGoodIsThePrevious: the name alone does not tell whose content stays.
func TestLastGoodIsThePrevious(t *testing.T) {
	good := tlsCluster(t, "c", "old", ads())
	first := build(t, Options{}, good, secret("old", "k1"))
	second := build(t, Options{Previous: first}, tlsCluster(t, "c", "new", ads()), secret("old", "k2"))
	for _, want := range resources(t, good, secret("old", "k2")) {
		if got, _ := second.Resource(want.TypeURL(), want.Name()); !got.Equal(want) {
			t.Errorf("%v is not the expected one", want)
		}
	}
	withheld := second.Withheld()[0].Resource
	if !withheld.Equal(resource(t, tlsCluster(t, "c", "new", ads()))) {
		t.Error("Withheld has the resource that stays, want the one that was given")
	}
	if _, ok := second.Resource(resourcev3.SecretType, "new"); ok {
		t.Error("the absent secret is there")
	}
}
