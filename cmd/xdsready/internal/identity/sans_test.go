package identity

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"github.com/xdsready/xdsready/pkg/xds/admission"
)

func byCluster(n admission.Node) string { return n.Cluster }

// from returns the context of a peer with these SANs, which has proved them.
func from(t *testing.T, names ...string) context.Context {
	t.Helper()
	leaf := &x509.Certificate{}
	for _, name := range names {
		if !strings.Contains(name, "://") {
			leaf.DNSNames = append(leaf.DNSNames, name)
			continue
		}
		uri, err := url.Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		leaf.URIs = append(leaf.URIs, uri)
	}
	return peer.NewContext(t.Context(), &peer.Peer{AuthInfo: credentials.TLSInfo{
		State: tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{leaf}}},
	}})
}

func TestSANs(t *testing.T) {
	patterns := map[string][]string{
		Any:         {"spiffe://example.org/ns/{namespace}/sa/{name}", "{name}.{namespace}.gateways.test"},
		"shop/web":  {"spiffe://example.org/old/web"},
		"odd group": {"spiffe://example.org/odd"},
	}
	authorize, err := SANs(patterns, byCluster)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name  string
		group string
		sans  []string
		want  string // in the error; "" for none
	}{
		{"its URI", "shop/web", []string{"spiffe://example.org/ns/shop/sa/web"}, ""},
		{"its DNS name", "shop/web", []string{"web.shop.gateways.test"}, ""},
		{"a name with dots", "shop/web.v2", []string{"web.v2.shop.gateways.test"}, ""},
		{"one of several names", "shop/web", []string{"spiffe://example.org/x", "spiffe://example.org/ns/shop/sa/web"}, ""},
		{"a pattern of its own besides", "shop/web", []string{"spiffe://example.org/old/web"}, ""},
		{"another's own pattern", "shop/other", []string{"spiffe://example.org/old/web"}, "no SAN of its certificate may take"},
		{"another name", "shop/other", []string{"spiffe://example.org/ns/shop/sa/web"}, "no SAN of its certificate may take"},
		{"another namespace", "bank/web", []string{"spiffe://example.org/ns/shop/sa/web"}, "no SAN of its certificate may take"},
		{"namespace and name swapped", "web/shop", []string{"spiffe://example.org/ns/shop/sa/web"}, "no SAN of its certificate may take"},
		{"the placeholders themselves", "shop/web", []string{"{name}.{namespace}.gateways.test"}, "no SAN of its certificate may take"},
		{"a group of placeholders", "{namespace}/{name}", []string{"{name}.{namespace}.gateways.test"}, "is not the NAMESPACE/NAME"},
		{"a group that is a pattern", "*/*", []string{"spiffe://example.org/ns/shop/sa/web"}, "is not the NAMESPACE/NAME"},
		{"the name of the patterns", Any, []string{"spiffe://example.org/ns/shop/sa/web"}, "is not the NAMESPACE/NAME"},
		{"a name that goes on", "shop/web/x", []string{"spiffe://example.org/ns/shop/sa/web/x"}, "is not the NAMESPACE/NAME"},
		{"no NAMESPACE/NAME", "odd group", []string{"spiffe://example.org/odd"}, "is not the NAMESPACE/NAME"},
		{"no SAN", "shop/web", nil, "no SAN of its certificate may take"},
	} {
		t.Run(test.name, func(t *testing.T) {
			want(t, authorize(from(t, test.sans...), admission.Node{Cluster: test.group}), test.want)
		})
	}
	want(t, authorize(t.Context(), admission.Node{Cluster: "shop/web"}), "its connection is unknown")
}

// Without patterns for all Gateways a group may have any name.
func TestSANsOfNamedGroups(t *testing.T) {
	authorize, err := SANs(map[string][]string{"edge": {"{name}.test"}}, byCluster)
	if err != nil {
		t.Fatal(err)
	}
	want(t, authorize(from(t, "{name}.test"), admission.Node{Cluster: "edge"}), "")
	want(t, authorize(from(t, "edge.test"), admission.Node{Cluster: "edge"}), "no SAN")
	want(t, authorize(from(t, "{name}.test"), admission.Node{Cluster: "other"}), "no SAN")
}

func TestBadPatternsAreNamed(t *testing.T) {
	for _, group := range []string{Any, "shop/web"} {
		_, err := SANs(map[string][]string{group: {"spiffe://{namespace}/**"}}, byCluster)
		want(t, err, "** is not supported")
	}
}

func TestPeers(t *testing.T) {
	got := Peers(map[string][]string{
		Any:        {"spiffe://example.org/ns/{namespace}/sa/{name}"},
		"shop/web": {"spiffe://example.org/{name}"},
	})
	slices.Sort(got)
	if diff := cmp.Diff([]string{"spiffe://example.org/ns/*/sa/*", "spiffe://example.org/{name}"}, got); diff != "" {
		t.Errorf("patterns (-want +got):\n%s", diff)
	}
}
