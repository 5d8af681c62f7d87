package gatewayapi

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
)

// request is a request as far as routes look at it.
type request struct {
	host, path, method string
	headers, params    map[string]string
}

// ask answers a request as Envoy does with the route configuration of that name:
// with the cluster, several joined by "+", or the status.
func (p *Plan) ask(t *testing.T, table string, r request) string {
	t.Helper()
	for _, resource := range p.Resources {
		if config, ok := resource.Message().(*routev3.RouteConfiguration); ok && config.Name == table {
			return askTable(t, config, r)
		}
	}
	t.Fatalf("no route configuration %q in %v", table, p.names())
	return ""
}

func askTable(t *testing.T, config *routev3.RouteConfiguration, r request) string {
	t.Helper()
	host := virtualHost(config, r.host)
	if host == nil {
		return "404"
	}
	for _, route := range host.Routes {
		if !matches(t, route.Match, r) {
			continue
		}
		if direct := route.GetDirectResponse(); direct != nil {
			return fmt.Sprint(direct.Status)
		}
		if cluster := route.GetRoute().GetCluster(); cluster != "" {
			return cluster
		}
		var clusters []string
		for _, c := range route.GetRoute().GetWeightedClusters().Clusters {
			clusters = append(clusters, c.Name)
		}
		return strings.Join(clusters, "+")
	}
	return "404"
}

// virtualHost finds the host as Envoy does: exact, longest suffix, any.
func virtualHost(config *routev3.RouteConfiguration, host string) *routev3.VirtualHost {
	var best *routev3.VirtualHost
	length := -1
	for _, v := range config.VirtualHosts {
		for _, domain := range v.Domains {
			suffix, wild := strings.CutPrefix(domain, "*")
			switch {
			case domain == host:
				return v
			case wild && strings.HasSuffix(host, suffix) && len(host) > len(suffix) && len(suffix) > length:
				best, length = v, len(suffix)
			}
		}
	}
	return best
}

func matches(t *testing.T, m *routev3.RouteMatch, r request) bool {
	t.Helper()
	var path bool
	switch specifier := m.PathSpecifier.(type) {
	case *routev3.RouteMatch_Path:
		path = r.path == specifier.Path
	case *routev3.RouteMatch_Prefix:
		path = strings.HasPrefix(r.path, specifier.Prefix)
	case *routev3.RouteMatch_PathSeparatedPrefix:
		path = r.path == specifier.PathSeparatedPrefix || strings.HasPrefix(r.path, specifier.PathSeparatedPrefix+"/")
	case *routev3.RouteMatch_SafeRegex:
		path = fullMatch(specifier.SafeRegex.Regex, r.path)
	default:
		t.Fatalf("path specifier %T", specifier)
	}
	return path &&
		!slices.ContainsFunc(m.Headers, func(h *routev3.HeaderMatcher) bool {
			if h.Name == ":method" {
				return !matchesString(h.GetStringMatch(), r.method, true)
			}
			value, ok := r.headers[h.Name]
			return !matchesString(h.GetStringMatch(), value, ok)
		}) &&
		!slices.ContainsFunc(m.QueryParameters, func(q *routev3.QueryParameterMatcher) bool {
			value, ok := r.params[q.Name]
			return !matchesString(q.GetStringMatch(), value, ok)
		})
}

func matchesString(m *matcherv3.StringMatcher, value string, present bool) bool {
	if regex := m.GetSafeRegex(); regex != nil {
		return present && fullMatch(regex.Regex, value)
	}
	return present && m.GetExact() == value
}

func fullMatch(regex, value string) bool {
	return regexp.MustCompile("^(?:" + regex + ")$").MatchString(value)
}
