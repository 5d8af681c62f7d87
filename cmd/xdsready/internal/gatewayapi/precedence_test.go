package gatewayapi

import (
	"testing"
	"time"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	gocmp "github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestPrecedence goes through the order that the Gateway API gives: of two
// matches for one request the first wins, in whatever order they are written.
func TestPrecedence(t *testing.T) {
	full := request{host: "a.example.com", path: "/a/b", method: "GET", headers: map[string]string{"x": "1", "z": "1"}, params: map[string]string{"p": "1", "q": "1"}}
	for name, test := range map[string]struct{ first, second string }{
		"exact before longer prefix":      {`path: {type: Exact, value: /a/b}`, `path: {value: /a/b/}, method: GET, headers: [{name: x, value: "1"}]`},
		"exact before expression":         {`path: {type: Exact, value: /a/b}`, `path: {type: RegularExpression, value: "/a/b|/very/long/indeed"}`},
		"expression before prefix":        {`path: {type: RegularExpression, value: "/.*"}`, `path: {value: /a/b}`},
		"longer expression":               {`path: {type: RegularExpression, value: "/a/.*"}`, `path: {type: RegularExpression, value: "/.*"}`},
		"longer prefix":                   {`path: {value: /a/b}`, `path: {value: /a}, method: GET`},
		"a slash at the end counts not":   {`path: {value: /a}, method: GET`, `path: {value: /a/}`},
		"method before headers":           {`method: GET`, `headers: [{name: x, value: "1"}, {name: z, value: "1"}]`},
		"more headers":                    {`headers: [{name: x, value: "1"}, {name: z, value: "1"}]`, `headers: [{name: x, value: "1"}], queryParams: [{name: p, value: "1"}]`},
		"a header named twice is one":     {`headers: [{name: x, value: "1"}], queryParams: [{name: p, value: "1"}]`, `headers: [{name: x, value: "1"}, {name: X, value: "2"}]`},
		"headers before parameters":       {`headers: [{name: x, value: "1"}]`, `queryParams: [{name: p, value: "1"}, {name: q, value: "1"}]`},
		"more parameters":                 {`queryParams: [{name: p, value: "1"}, {name: q, value: "1"}]`, `queryParams: [{name: p, value: "1"}]`},
		"a parameter before none":         {`queryParams: [{name: p, value: "1"}]`, `{}`},
		"a header is matched by any case": {`headers: [{name: X, value: "1"}]`, `{}`},
	} {
		t.Run(name, func(t *testing.T) {
			if test.second != "{}" {
				test.second = "{" + test.second + "}"
			}
			// The older route, and the first in the alphabet, is the one that loses.
			first := "rules: [{matches: [{" + test.first + "}], backendRefs: [{name: first, port: 80}]}]"
			second := "rules: [{matches: [" + test.second + "], backendRefs: [{name: second, port: 80}]}]"
			w := load(t, httpGateway, routeManifest("b", first), routeManifest("a", second))
			w.routes[0].CreationTimestamp = metav1.NewTime(time.Unix(1000, 0))
			if got := w.plan(t).ask(t, "http-80", full); got != "xdsready/absent/shop/first/80" {
				t.Errorf("the request goes to %s", got)
			}
		})
	}
}

// TestTies: between equal matches age decides, then the name, then the place in
// the route.
func TestTies(t *testing.T) {
	rules := func(backends ...string) string {
		spec := "rules:"
		for _, b := range backends {
			spec += "\n- backendRefs: [{name: " + b + ", port: 80}]"
		}
		return spec
	}
	older := metav1.NewTime(time.Unix(1000, 0))
	newer := metav1.NewTime(time.Unix(1001, 0))
	for name, test := range map[string]struct {
		a, b metav1.Time
		want string
	}{
		"age":           {newer, older, "xdsready/absent/shop/b1/80"},
		"name and rule": {older, older, "xdsready/absent/shop/a1/80"},
	} {
		w := load(t, httpGateway, routeManifest("b", rules("b1", "b2")), routeManifest("a", rules("a1", "a2")))
		w.routes[0].CreationTimestamp, w.routes[1].CreationTimestamp = test.b, test.a
		if got := w.plan(t).ask(t, "http-80", request{host: "x", path: "/"}); got != test.want {
			t.Errorf("%s: the request goes to %s, want %s", name, got, test.want)
		}
	}
}

// TestPaths: what a path match takes.
func TestPaths(t *testing.T) {
	for _, test := range []struct {
		match, path string
		want        bool
	}{
		{`{value: /}`, "/any/thing", true},
		{`{value: /abc}`, "/abc", true},
		{`{value: /abc}`, "/abc/", true},
		{`{value: /abc}`, "/abc/def", true},
		{`{value: /abc}`, "/abcd", false},
		{`{value: /abc/}`, "/abc", true},
		{`{value: /abc/}`, "/abcd", false},
		{`{type: Exact, value: /abc}`, "/abc", true},
		{`{type: Exact, value: /abc}`, "/abc/", false},
		{`{type: Exact, value: /abc/}`, "/abc", false},
		{`{type: RegularExpression, value: "/a+"}`, "/aaa", true},
		{`{type: RegularExpression, value: "/a+"}`, "/aaab", false},
	} {
		spec := "rules: [{matches: [{path: " + test.match + "}], backendRefs: [{name: it, port: 80}]}]"
		got := load(t, httpGateway, routeManifest("route", spec)).plan(t).ask(t, "http-80", request{host: "x", path: test.path})
		if (got == "xdsready/absent/shop/it/80") != test.want {
			t.Errorf("%s takes %s: %s, want it %t", test.match, test.path, got, test.want)
		}
	}
}

// TestUnreachable: what comes after a match for everything is left out.
func TestUnreachable(t *testing.T) {
	plan := load(t, httpGateway, routeManifest("a", "rules: [{}, {matches: [{method: GET}]}, {}]"), routeManifest("b", "rules: [{}]")).plan(t)
	var got []string
	for _, r := range plan.Resources {
		if config, ok := r.Message().(*routev3.RouteConfiguration); ok {
			for _, route := range config.VirtualHosts[0].Routes {
				got = append(got, route.Name)
			}
		}
	}
	if diff := gocmp.Diff([]string{"shop/a/1/0", "shop/a/0/0"}, got); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
}
