package gatewayapi

import (
	"slices"
	"strings"
	"testing"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// FuzzRoute: whatever a route says, what comes of it keeps Envoy's rules, so
// that one bad value never costs the table that it shares with others.
func FuzzRoute(f *testing.F) {
	f.Add("example.com", "PathPrefix", "/a", "x-header", "Exact", "1", "GET")
	f.Add("*.example.com", "RegularExpression", "/[a-z]{1,200}", "X", "RegularExpression", "(", "CONNECT")
	f.Add("*", "Exact", "/a?b", ":method", "Exact", "\x00", "get")
	f.Add("1.2.3.4", "PathPrefix", "//", "", "", "", "")
	f.Fuzz(func(t *testing.T, hostname, pathKind, path, name, kind, value, method string) {
		for _, s := range []*string{&hostname, &pathKind, &path, &name, &kind, &value, &method} {
			*s = strings.ToValidUTF8(*s, "\ufffd") // as JSON does on the way to the API server
		}
		w := load(t, httpGateway, routeManifest("hostname", "rules: [{}]"), routeManifest("matches", "rules: [{}]"))
		w.routes[0].Spec.Hostnames = []gatewayv1.Hostname{gatewayv1.Hostname(hostname)}
		// Each in a rule of its own, so that none hides another.
		w.routes[1].Spec.Rules = []gatewayv1.HTTPRouteRule{
			{Matches: []gatewayv1.HTTPRouteMatch{{Path: &gatewayv1.HTTPPathMatch{
				Type: (*gatewayv1.PathMatchType)(&pathKind), Value: &path,
			}}}},
			{Matches: []gatewayv1.HTTPRouteMatch{{Headers: []gatewayv1.HTTPHeaderMatch{{
				Name: gatewayv1.HTTPHeaderName(name), Type: (*gatewayv1.HeaderMatchType)(&kind), Value: value,
			}}}}},
			{Matches: []gatewayv1.HTTPRouteMatch{{QueryParams: []gatewayv1.HTTPQueryParamMatch{{
				Name: gatewayv1.HTTPHeaderName(name), Type: (*gatewayv1.QueryParamMatchType)(&kind), Value: value,
			}}}}},
			{Matches: []gatewayv1.HTTPRouteMatch{{Method: (*gatewayv1.HTTPMethod)(&method)}}},
		}
		w.plan(t) // fails if a resource breaks the rules
	})
}

// FuzzHostname: a hostname that passes is one that Envoy takes as a domain, and
// what intersect and widening say agrees with the names that it stands for.
func FuzzHostname(f *testing.F) {
	f.Add("*.example.com", "www.example.com", "a.www.example.com")
	f.Add("*.a.b", "*.b", "c.a.b")
	f.Add("", "a", "a")
	f.Fuzz(func(t *testing.T, a, b, name string) {
		for _, hostname := range []string{a, b, name} {
			if hostname != anyHost && checkHostname(hostname) != nil {
				return
			}
		}
		if strings.HasPrefix(name, "*") || name == anyHost {
			return
		}
		common, ok := intersect(a, b)
		both := covers(a, name) && covers(b, name)
		if ok && covers(common, name) != both || !ok && both {
			t.Errorf("intersect(%q, %q) is %q, %t; for %q it is %t", a, b, common, ok, name, both)
		}
		if listed := slices.Contains(widening(name), a); listed != covers(a, name) {
			t.Errorf("widening(%q) has %q: %t", name, a, listed)
		}
		if listed := slices.Contains(widening(b), a); listed && !covers(a, b) {
			t.Errorf("widening(%q) has %q, which does not cover it", b, a)
		}
	})
}
