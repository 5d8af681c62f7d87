package xds_test

import (
	"testing"

	statusv3 "github.com/envoyproxy/go-control-plane/envoy/service/status/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/prototext"

	"github.com/xdsready/xdsready/pkg/xds"
)

func byID(m *matcherv3.StringMatcher) *matcherv3.NodeMatcher {
	return &matcherv3.NodeMatcher{NodeId: m}
}

func exactly(s string) *matcherv3.StringMatcher {
	return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: s}}
}

func regex(s string) *matcherv3.StringMatcher {
	return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_SafeRegex{SafeRegex: &matcherv3.RegexMatcher{Regex: s}}}
}

// byMetadata matches a field of the metadata under xdsready.
func byMetadata(field string, value *matcherv3.ValueMatcher) *matcherv3.NodeMatcher {
	segment := func(key string) *matcherv3.StructMatcher_PathSegment {
		return &matcherv3.StructMatcher_PathSegment{Segment: &matcherv3.StructMatcher_PathSegment_Key{Key: key}}
	}
	return &matcherv3.NodeMatcher{NodeMetadatas: []*matcherv3.StructMatcher{
		{Path: []*matcherv3.StructMatcher_PathSegment{segment("xdsready"), segment(field)}, Value: value},
	}}
}

func text(m *matcherv3.StringMatcher) *matcherv3.ValueMatcher {
	return &matcherv3.ValueMatcher{MatchPattern: &matcherv3.ValueMatcher_StringMatch{StringMatch: m}}
}

func number(from, to float64) *matcherv3.ValueMatcher {
	return &matcherv3.ValueMatcher{MatchPattern: &matcherv3.ValueMatcher_DoubleMatch{DoubleMatch: &matcherv3.DoubleMatcher{
		MatchPattern: &matcherv3.DoubleMatcher_Range{Range: &typev3.DoubleRange{Start: from, End: to}},
	}}}
}

func TestCSDSMatchers(t *testing.T) {
	r := newRig(t, nil, xds.Options{Group: byCluster})
	r.set(t, "edge", edsCluster("a"))
	r.set(t, "inner", edsCluster("a"))
	r.connect(t, "edge-1", "edge")
	r.connect(t, "edge-2", "edge")
	r.connect(t, "inner-1", "inner")
	csds := r.csds(t)
	eventually(t, "all ACKs", func() bool {
		converged := 0
		for _, p := range r.server.Proxies() {
			if p.Converged() {
				converged++
			}
		}
		return converged == 3
	})
	both := byMetadata("group", text(exactly("edge")))
	both.NodeId = regex(".*-1")
	for _, test := range []struct {
		name     string
		matchers []*matcherv3.NodeMatcher
		want     []string
	}{
		{"none matches", []*matcherv3.NodeMatcher{byID(exactly("edge"))}, nil},
		{"one of two", []*matcherv3.NodeMatcher{byID(exactly("edge-2")), byID(exactly("inner-1"))}, []string{"edge-2", "inner-1"}},
		{"a prefix", []*matcherv3.NodeMatcher{byID(&matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Prefix{Prefix: "edge-"}})},
			[]string{"edge-1", "edge-2"}},
		{"a suffix", []*matcherv3.NodeMatcher{byID(&matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Suffix{Suffix: "-1"}})},
			[]string{"edge-1", "inner-1"}},
		{"a part, whatever its case", []*matcherv3.NodeMatcher{byID(&matcherv3.StringMatcher{
			IgnoreCase: true, MatchPattern: &matcherv3.StringMatcher_Contains{Contains: "DGE"},
		})}, []string{"edge-1", "edge-2"}},
		{"a part, in its case", []*matcherv3.NodeMatcher{byID(&matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Contains{Contains: "DGE"}})}, nil},
		{"an expression", []*matcherv3.NodeMatcher{byID(regex("(e|edge)-.|in"))}, []string{"edge-1", "edge-2"}},
		{"a node group", []*matcherv3.NodeMatcher{byMetadata("group", text(exactly("inner")))}, []string{"inner-1"}},
		{"id and node group", []*matcherv3.NodeMatcher{both}, []string{"edge-1"}},
		{"a number", []*matcherv3.NodeMatcher{byMetadata("lagSeconds", number(0, 1))}, []string{"edge-1", "edge-2", "inner-1"}},
		{"a number's bound", []*matcherv3.NodeMatcher{byMetadata("lagSeconds", number(-1, 0))}, nil},
		{"a text is no number", []*matcherv3.NodeMatcher{byMetadata("group", number(-1, 1))}, nil},
		{"a field that is there", []*matcherv3.NodeMatcher{byMetadata("waits", &matcherv3.ValueMatcher{
			MatchPattern: &matcherv3.ValueMatcher_PresentMatch{PresentMatch: true}})}, []string{"edge-1", "edge-2", "inner-1"}},
		{"a field that is not there", []*matcherv3.NodeMatcher{byMetadata("zone", &matcherv3.ValueMatcher{
			MatchPattern: &matcherv3.ValueMatcher_PresentMatch{PresentMatch: true}})}, nil},
		{"one of two values", []*matcherv3.NodeMatcher{byMetadata("group", &matcherv3.ValueMatcher{MatchPattern: &matcherv3.ValueMatcher_OrMatch{
			OrMatch: &matcherv3.OrMatcher{ValueMatchers: []*matcherv3.ValueMatcher{text(exactly("inner")), text(exactly("outer"))}}}})}, []string{"inner-1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := csds.FetchClientStatus(testContext(t), &statusv3.ClientStatusRequest{NodeMatchers: test.matchers})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, ids(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	plugin := &matcherv3.StringMatcher{}
	if err := prototext.Unmarshal([]byte(`custom { name: "x" typed_config { type_url: "x/y" } }`), plugin); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		matcher *matcherv3.NodeMatcher
		want    string
	}{
		"a bad expression":         {byID(regex("(")), "missing closing )"},
		"an expression that opens": {byMetadata("group", text(regex("a)(b"))), "unexpected )"},
		"nothing to match":         {byID(&matcherv3.StringMatcher{}), "MatchPattern"},
		"a plug-in of Envoy's":     {byID(plugin), "StringMatcher_Custom is not supported"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := csds.FetchClientStatus(testContext(t), &statusv3.ClientStatusRequest{NodeMatchers: []*matcherv3.NodeMatcher{test.matcher}})
			wantStatus(t, err, codes.InvalidArgument, test.want)
		})
	}
}
