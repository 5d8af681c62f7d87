package xds

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	statusv3 "github.com/envoyproxy/go-control-plane/envoy/service/status/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/structpb"
)

// nodeMatch returns whether a node is asked for: it matches one of the node
// matchers, or there are none. It must match all that one matcher says. The
// metadata that is matched is that of the answer.
func nodeMatch(r *statusv3.ClientStatusRequest) (func(*corev3.Node) bool, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	if len(r.GetNodeMatchers()) == 0 {
		return func(*corev3.Node) bool { return true }, nil
	}
	return anyOf(r.GetNodeMatchers(), oneNodeMatch)
}

// anyOf makes the alternatives of a list one function.
func anyOf[M, V any](list []M, compile func(M) (func(V) bool, error)) (func(V) bool, error) {
	var alternatives []func(V) bool
	for _, m := range list {
		matches, err := compile(m)
		if err != nil {
			return nil, err
		}
		alternatives = append(alternatives, matches)
	}
	return func(v V) bool {
		return slices.ContainsFunc(alternatives, func(matches func(V) bool) bool { return matches(v) })
	}, nil
}

func oneNodeMatch(m *matcherv3.NodeMatcher) (func(*corev3.Node) bool, error) {
	id := func(string) bool { return true }
	if m.GetNodeId() != nil {
		var err error
		if id, err = stringMatch(m.GetNodeId()); err != nil {
			return nil, err
		}
	}
	values := make([]func(*structpb.Value) bool, len(m.GetNodeMetadatas()))
	for i, s := range m.GetNodeMetadatas() {
		var err error
		if values[i], err = valueMatch(s.GetValue()); err != nil {
			return nil, err
		}
	}
	return func(n *corev3.Node) bool {
		for i, s := range m.GetNodeMetadatas() {
			if !values[i](at(s.GetPath(), n.GetMetadata())) {
				return false
			}
		}
		return id(n.GetId())
	}, nil
}

// at is the value that a path leads to; nil if it leads nowhere.
func at(path []*matcherv3.StructMatcher_PathSegment, from *structpb.Struct) *structpb.Value {
	value := structpb.NewStructValue(from)
	for _, segment := range path {
		value = value.GetStructValue().GetFields()[segment.GetKey()]
	}
	return value
}

// valueMatch gives its function nil for a value that is absent.
func valueMatch(m *matcherv3.ValueMatcher) (func(*structpb.Value) bool, error) {
	switch pattern := m.GetMatchPattern().(type) {
	case *matcherv3.ValueMatcher_NullMatch_:
		return isKind[*structpb.Value_NullValue], nil
	case *matcherv3.ValueMatcher_BoolMatch:
		return func(v *structpb.Value) bool {
			return isKind[*structpb.Value_BoolValue](v) && v.GetBoolValue() == pattern.BoolMatch
		}, nil
	case *matcherv3.ValueMatcher_PresentMatch:
		return func(v *structpb.Value) bool { return pattern.PresentMatch && v.GetKind() != nil }, nil
	case *matcherv3.ValueMatcher_DoubleMatch:
		return func(v *structpb.Value) bool {
			return isKind[*structpb.Value_NumberValue](v) && doubleMatches(pattern.DoubleMatch, v.GetNumberValue())
		}, nil
	case *matcherv3.ValueMatcher_StringMatch:
		matches, err := stringMatch(pattern.StringMatch)
		return func(v *structpb.Value) bool {
			return isKind[*structpb.Value_StringValue](v) && matches(v.GetStringValue())
		}, err
	case *matcherv3.ValueMatcher_ListMatch:
		matches, err := valueMatch(pattern.ListMatch.GetOneOf())
		return func(v *structpb.Value) bool { return slices.ContainsFunc(v.GetListValue().GetValues(), matches) }, err
	case *matcherv3.ValueMatcher_OrMatch:
		return anyOf(pattern.OrMatch.GetValueMatchers(), valueMatch)
	}
	return nil, errors.New("a value matcher of an unknown kind")
}

func isKind[K any](v *structpb.Value) bool {
	_, ok := v.GetKind().(K)
	return ok
}

func doubleMatches(m *matcherv3.DoubleMatcher, x float64) bool {
	if r := m.GetRange(); r != nil {
		return r.GetStart() <= x && x < r.GetEnd()
	}
	return m.GetExact() == x
}

func stringMatch(m *matcherv3.StringMatcher) (func(string) bool, error) {
	fold := func(s string) string { return s }
	if m.GetIgnoreCase() { // which a regular expression says itself
		fold = strings.ToLower
	}
	switch pattern := m.GetMatchPattern().(type) {
	case *matcherv3.StringMatcher_Exact:
		return func(s string) bool { return fold(s) == fold(pattern.Exact) }, nil
	case *matcherv3.StringMatcher_Prefix:
		return func(s string) bool { return strings.HasPrefix(fold(s), fold(pattern.Prefix)) }, nil
	case *matcherv3.StringMatcher_Suffix:
		return func(s string) bool { return strings.HasSuffix(fold(s), fold(pattern.Suffix)) }, nil
	case *matcherv3.StringMatcher_Contains:
		return func(s string) bool { return strings.Contains(fold(s), fold(pattern.Contains)) }, nil
	case *matcherv3.StringMatcher_SafeRegex:
		return regexMatch(pattern.SafeRegex.GetRegex())
	}
	return nil, fmt.Errorf("a string matcher of the kind %T is not supported", m.GetMatchPattern())
}

// regexMatch matches whole strings, as Envoy does.
func regexMatch(expression string) (func(string) bool, error) {
	r, err := regexp.Compile(expression)
	if err != nil {
		return nil, err
	}
	r.Longest() // so that a match of the whole string is the one found
	return func(s string) bool { return slices.Equal(r.FindStringIndex(s), []int{0, len(s)}) }, nil
}
