package admission

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
)

// SANs returns a function for Options.Authorize that lets a peer take a node
// group only if its certificate allows it: some URI or DNS subject alternative
// name of the verified leaf certificate must match a pattern of that group.
// group tells a node's group. A group without patterns admits nobody; neither
// does a connection without mutual TLS, or one whose certificate was not
// verified by crypto/tls (tls.RequireAndVerifyClientCert).
//
// A pattern with "://" is compared with URI names, exactly and as a whole; any
// other with DNS names, without regard to case. A * stands for any number of
// characters within one path segment of a URI (none is a "/") or within one
// label of a DNS name (none is a "."):
//
//	spiffe://prod.example/ns/*/sa/gateway   any namespace, this account
//	gw-*.edge.example                       gw-1.edge.example, not gw-1.a.edge.example
//
// Nothing else is special. The error names a pattern that could not match what
// its author meant: an empty one, one with "**", or one with "?", "[" or "\".
func SANs(patterns map[string][]string, group func(Node) string) (func(context.Context, Node) error, error) {
	if group == nil {
		return nil, errors.New("SAN patterns: group is nil")
	}
	compiled := make(map[string][]sanPattern, len(patterns))
	for name, list := range patterns {
		for _, text := range list {
			p, err := parseSANPattern(text)
			if err != nil {
				return nil, fmt.Errorf("SAN pattern %q of group %q: %w", text, name, err)
			}
			compiled[name] = append(compiled[name], p)
		}
	}
	return func(ctx context.Context, node Node) error {
		leaf, err := verifiedLeaf(ctx)
		if err != nil {
			return err
		}
		name := group(node)
		for _, p := range compiled[name] {
			if p.matchesAny(leaf) {
				return nil
			}
		}
		return fmt.Errorf("no SAN of its certificate may take group %.200q", name)
	}, nil
}

// verifiedLeaf returns the certificate that the peer proved to own.
func verifiedLeaf(ctx context.Context) (*x509.Certificate, error) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return nil, errors.New("its connection is unknown")
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok {
		return nil, errors.New("its connection has no TLS")
	}
	chains := info.State.VerifiedChains
	if len(chains) == 0 || len(chains[0]) == 0 {
		return nil, errors.New("its connection has no verified client certificate")
	}
	return chains[0][0], nil
}

// sanPattern is a pattern cut at its separator.
type sanPattern struct {
	separator string // "/" for URI names, "." for DNS names
	segments  []string
}

func parseSANPattern(text string) (sanPattern, error) {
	switch {
	case text == "":
		return sanPattern{}, errors.New("it is empty")
	case strings.Contains(text, "**"):
		return sanPattern{}, errors.New("** is not supported: * matches within one segment or label")
	case strings.ContainsAny(text, `?[\`):
		return sanPattern{}, errors.New(`only * is special: ?, [ and \ are not allowed`)
	}
	if strings.Contains(text, "://") {
		return sanPattern{separator: "/", segments: strings.Split(text, "/")}, nil
	}
	return sanPattern{separator: ".", segments: strings.Split(strings.ToLower(text), ".")}, nil
}

func (p sanPattern) matchesAny(leaf *x509.Certificate) bool {
	if p.separator == "/" {
		return slices.ContainsFunc(leaf.URIs, func(u *url.URL) bool { return p.matches(u.String()) })
	}
	return slices.ContainsFunc(leaf.DNSNames, func(name string) bool { return p.matches(strings.ToLower(name)) })
}

func (p sanPattern) matches(name string) bool {
	return slices.EqualFunc(p.segments, strings.Split(name, p.separator), func(pattern, segment string) bool {
		ok, err := path.Match(pattern, segment)
		return ok && err == nil
	})
}
