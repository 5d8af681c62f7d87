package gatewayapi

import (
	"fmt"
	"slices"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// match is one match of a rule in Envoy's form, with its precedence.
type match struct {
	envoy *routev3.RouteMatch
	rank  rank
}

// newMatch compiles one match. An error names the value that is not supported.
func newMatch(m gatewayv1.HTTPRouteMatch) (match, error) {
	envoy := &routev3.RouteMatch{}
	rank, err := setPath(envoy, m.Path)
	if err != nil {
		return match{}, err
	}
	if envoy.Headers, err = headerMatchers(m.Headers); err != nil {
		return match{}, err
	}
	if envoy.QueryParameters, err = queryMatchers(m.QueryParams); err != nil {
		return match{}, err
	}
	rank.headers, rank.params = len(envoy.Headers), len(envoy.QueryParameters)
	if m.Method != nil {
		method, err := methodMatcher(*m.Method)
		if err != nil {
			return match{}, err
		}
		envoy.Headers, rank.method = append(envoy.Headers, method), true
	}
	if err := envoy.ValidateAll(); err != nil {
		return match{}, fmt.Errorf("not within the rules of Envoy: %w", err)
	}
	return match{envoy: envoy, rank: rank}, nil
}

// setPath sets the path specifier and returns the path's part of the precedence.
func setPath(envoy *routev3.RouteMatch, path *gatewayv1.HTTPPathMatch) (rank, error) {
	kind, value := gatewayv1.PathMatchPathPrefix, "/"
	if path != nil {
		kind = valueOr(path.Type, kind)
		value = valueOr(path.Value, value)
	}
	if kind == gatewayv1.PathMatchRegularExpression {
		regex, err := regexMatcher(value)
		envoy.PathSpecifier = &routev3.RouteMatch_SafeRegex{SafeRegex: regex}
		return rank{path: regexPath, length: len(value)}, err
	}
	if !strings.HasPrefix(value, "/") || strings.Contains(value, "//") || strings.ContainsAny(value, "?#") {
		return rank{}, fmt.Errorf("path %q: a path begins with / and has no //, ? or #", value)
	}
	switch kind {
	case gatewayv1.PathMatchExact:
		envoy.PathSpecifier = &routev3.RouteMatch_Path{Path: value}
		return rank{path: exactPath}, nil
	case gatewayv1.PathMatchPathPrefix:
		prefix := strings.TrimSuffix(value, "/")
		if prefix == "" {
			envoy.PathSpecifier = &routev3.RouteMatch_Prefix{Prefix: "/"}
		} else {
			envoy.PathSpecifier = &routev3.RouteMatch_PathSeparatedPrefix{PathSeparatedPrefix: prefix}
		}
		return rank{path: prefixPath, length: len(prefix)}, nil
	default:
		return rank{}, fmt.Errorf("path match type %q: use Exact, PathPrefix or RegularExpression", kind)
	}
}

// headerMatchers matches header values. Of several matches for one header the
// first counts; names have no case.
func headerMatchers(headers []gatewayv1.HTTPHeaderMatch) ([]*routev3.HeaderMatcher, error) {
	var matchers []*routev3.HeaderMatcher
	for _, h := range headers {
		name := strings.ToLower(string(h.Name))
		if slices.ContainsFunc(matchers, func(m *routev3.HeaderMatcher) bool { return m.Name == name }) {
			continue
		}
		value, err := stringMatcher(valueOr(h.Type, gatewayv1.HeaderMatchExact), h.Value)
		if err != nil {
			return nil, fmt.Errorf("header %s: %w", name, err)
		}
		matchers = append(matchers, newHeaderMatcher(name, value))
	}
	return matchers, nil
}

// queryMatchers matches query parameters. Of several matches for one parameter
// the first counts.
func queryMatchers(params []gatewayv1.HTTPQueryParamMatch) ([]*routev3.QueryParameterMatcher, error) {
	var matchers []*routev3.QueryParameterMatcher
	for _, p := range params {
		name := string(p.Name)
		if slices.ContainsFunc(matchers, func(m *routev3.QueryParameterMatcher) bool { return m.Name == name }) {
			continue
		}
		value, err := stringMatcher(valueOr(p.Type, gatewayv1.QueryParamMatchExact), p.Value)
		if err != nil {
			return nil, fmt.Errorf("query parameter %s: %w", name, err)
		}
		matchers = append(matchers, &routev3.QueryParameterMatcher{
			Name: name,
			QueryParameterMatchSpecifier: &routev3.QueryParameterMatcher_StringMatch{
				StringMatch: value,
			},
		})
	}
	return matchers, nil
}

// stringMatcher matches a value of a header or a query parameter, whose types
// of match have the same names.
func stringMatcher[T ~string](kind T, value string) (*matcherv3.StringMatcher, error) {
	switch kind {
	case T(gatewayv1.HeaderMatchExact):
		return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: value}}, nil
	case T(gatewayv1.HeaderMatchRegularExpression):
		regex, err := regexMatcher(value)
		return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_SafeRegex{SafeRegex: regex}}, err
	default:
		return nil, fmt.Errorf("match type %q: use Exact or RegularExpression", kind)
	}
}

// methods are those that can be matched. CONNECT cannot: Envoy routes it by a
// matcher of its own and ends it itself unless a tunnel is configured.
var methods = []gatewayv1.HTTPMethod{
	gatewayv1.HTTPMethodGet, gatewayv1.HTTPMethodHead, gatewayv1.HTTPMethodPost, gatewayv1.HTTPMethodPut,
	gatewayv1.HTTPMethodDelete, gatewayv1.HTTPMethodOptions, gatewayv1.HTTPMethodTrace, gatewayv1.HTTPMethodPatch,
}

func methodMatcher(method gatewayv1.HTTPMethod) (*routev3.HeaderMatcher, error) {
	if !slices.Contains(methods, method) {
		return nil, fmt.Errorf("method %q is not supported", method)
	}
	value, err := stringMatcher(gatewayv1.HeaderMatchExact, string(method))
	return newHeaderMatcher(":method", value), err
}

func newHeaderMatcher(name string, value *matcherv3.StringMatcher) *routev3.HeaderMatcher {
	return &routev3.HeaderMatcher{
		Name:                 name,
		HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{StringMatch: value},
	}
}

// valueOr returns what p points to, or other where an optional field is not set.
func valueOr[T any](p *T, other T) T {
	if p == nil {
		return other
	}
	return *p
}
