package admission

import (
	"crypto/tls"
	"crypto/x509"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
)

func TestSANPattern(t *testing.T) {
	for _, tc := range []struct {
		name, pattern, san string
		want               bool
	}{
		{name: "a URI as it is", pattern: "spiffe://a/ns/b", san: "spiffe://a/ns/b", want: true},
		{name: "URIs differ in case", pattern: "spiffe://a/ns/b", san: "spiffe://a/ns/B"},
		{name: "a URI with more segments", pattern: "spiffe://a/ns/b", san: "spiffe://a/ns/b/c"},
		{name: "a URI with fewer segments", pattern: "spiffe://a/ns/b", san: "spiffe://a/ns"},
		{name: "a URI that only begins like the pattern", pattern: "spiffe://a/ns/b", san: "spiffe://a/ns/bc"},
		{name: "a URI with a trailing slash", pattern: "spiffe://a/ns/b", san: "spiffe://a/ns/b/"},
		{name: "a URI with a query", pattern: "spiffe://a/ns/b", san: "spiffe://a/ns/b?c"},
		{name: "another trust domain", pattern: "spiffe://a/*", san: "spiffe://evil/b"},
		{name: "a trust domain is not a suffix", pattern: "spiffe://a/*", san: "spiffe://evil/spiffe://a/b"},
		{name: "* is a segment", pattern: "spiffe://a/ns/*/sa/gw", san: "spiffe://a/ns/any-1/sa/gw", want: true},
		{name: "* is no two segments", pattern: "spiffe://a/ns/*/sa/gw", san: "spiffe://a/ns/b/c/sa/gw"},
		{name: "* is part of a segment", pattern: "spiffe://a/gw-*-x", san: "spiffe://a/gw-1-x", want: true},
		{name: "* may be nothing", pattern: "spiffe://a/gw-*", san: "spiffe://a/gw-", want: true},
		{name: "an encoded slash is no separator", pattern: "spiffe://a/*/b", san: "spiffe://a/x%2Fy/b", want: true},
		{name: "and an encoded letter is not that letter", pattern: "spiffe://a/b", san: "spiffe://a/%62"},
		{name: "a DNS name as it is", pattern: "gw.example", san: "gw.example", want: true},
		{name: "DNS names in another case", pattern: "GW.example", san: "gw.EXAMPLE", want: true},
		{name: "* is a label", pattern: "*.edge.example", san: "gw.edge.example", want: true},
		{name: "* is no two labels", pattern: "*.edge.example", san: "gw.a.edge.example"},
		{name: "* is no dot", pattern: "gw*example", san: "gw.example"},
		{name: "* is part of a label", pattern: "gw-*.example", san: "gw-1.example", want: true},
		{name: "a domain above", pattern: "*.edge.example", san: "edge.example"},
		{name: "a domain around", pattern: "edge.example", san: "edge.example.evil"},
		{name: "a wildcard certificate does not widen a pattern", pattern: "gw.example", san: "*.example"},
		{name: "a DNS pattern for a URI", pattern: "a", san: "spiffe://a"},
		{name: "a URI pattern for a DNS name", pattern: "spiffe://a", san: "a"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, err := parseSANPattern(tc.pattern)
			if err != nil {
				t.Fatal(err)
			}
			template := withSANs(t, []string{tc.san})
			if got := p.matchesAny(template); got != tc.want {
				t.Errorf("pattern %q, SAN %q: got %t, want %t", tc.pattern, tc.san, got, tc.want)
			}
		})
	}
}

func TestSANsRejects(t *testing.T) {
	for _, tc := range []struct {
		name, pattern string
		group         func(Node) string
		want          string
	}{
		{name: "no function for the group", pattern: "a", want: "group is nil"},
		{name: "an empty pattern", group: byCluster, want: `SAN pattern "" of group "edge": it is empty`},
		{name: "**, which would be no more than *", pattern: "spiffe://a/**", group: byCluster, want: "** is not supported"},
		{name: "?, which elsewhere is one character", pattern: "gw-?.example", group: byCluster, want: "only * is special"},
		{name: "a class of characters", pattern: "gw-[0-9].example", group: byCluster, want: "only * is special"},
		{name: "an escape", pattern: `gw-\*.example`, group: byCluster, want: "only * is special"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := SANs(map[string][]string{"edge": {tc.pattern}}, tc.group)
			wantError(t, err, tc.want)
		})
	}
}

// byCluster is a node group for each cluster.
func byCluster(n Node) string { return n.Cluster }

func TestSANsNeedsAVerifiedCertificate(t *testing.T) {
	leaf := withSANs(t, []string{"spiffe://a/gw"})
	authorize, err := SANs(map[string][]string{"edge": {"spiffe://a/gw"}}, byCluster)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		peer *peer.Peer
		want string // in the error; empty: no error
	}{
		{name: "no peer", want: "connection is unknown"},
		{name: "no TLS", peer: &peer.Peer{}, want: "has no TLS"},
		{
			name: "a certificate that was presented and not verified",
			peer: &peer.Peer{AuthInfo: credentials.TLSInfo{State: tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}}}},
			want: "no verified client certificate",
		},
		{
			name: "a verified one",
			peer: &peer.Peer{AuthInfo: credentials.TLSInfo{State: tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{leaf}}}}},
		},
		{
			name: "a verified one of an authority that carries the name, above a leaf that does not",
			peer: &peer.Peer{AuthInfo: credentials.TLSInfo{State: tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{{}, leaf}}}}},
			want: "no SAN of its certificate",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ctx := t.Context()
			if tc.peer != nil {
				ctx = peer.NewContext(ctx, tc.peer)
			}
			wantError(t, authorize(ctx, Node{ID: "a", Cluster: "edge"}), tc.want)
		})
	}
}

// wantError compares the error with a text that it must have; empty: no error.
func wantError(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("got %v, want no error", err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("got %v, want an error with %q", err, want)
	}
}

// FuzzSANPattern compares the patterns with regular expressions.
func FuzzSANPattern(f *testing.F) {
	f.Add("spiffe://prod.example/ns/*/sa/gw", "spiffe://prod.example/ns/a/sa/gw")
	f.Add("gw-*.edge.example", "gw-1.edge.example")
	f.Add("*", "a.b")
	f.Add("a]", "a]")
	f.Add("*", "/")
	f.Fuzz(func(t *testing.T, pattern, san string) {
		p, err := parseSANPattern(pattern)
		if err != nil || !utf8.ValidString(pattern+san) { // names in certificates are ASCII
			return
		}
		leaf, separator := &x509.Certificate{DNSNames: []string{san}}, "."
		if strings.Contains(pattern, "://") {
			u, err := url.Parse(san)
			if err != nil {
				return
			}
			leaf, separator, san = &x509.Certificate{URIs: []*url.URL{u}}, "/", u.String()
		} else {
			pattern, san = strings.ToLower(pattern), strings.ToLower(san)
		}
		// No * is a "/", which no DNS name has either.
		expression := strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, `[^/`+separator+`]*`)
		want := regexp.MustCompile(`(?s)\A` + expression + `\z`).MatchString(san)
		if got := p.matchesAny(leaf); got != want {
			t.Errorf("pattern %q, SAN %q: got %t, want %t", pattern, san, got, want)
		}
	})
}
