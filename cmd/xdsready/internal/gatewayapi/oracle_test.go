package gatewayapi

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// TestOracle makes gateways, routes and requests at random and compares what the
// resources do with what the text of the Gateway API says about the objects,
// read word by word in judge.
func TestOracle(t *testing.T) {
	worlds := 300
	if testing.Short() {
		worlds = 30
	}
	answers := make(map[bool]int)
	for seed := range worlds {
		d := dice{rand.New(rand.NewPCG(uint64(seed), 0))}
		w := &world{gateways: []*gatewayv1.Gateway{d.gateway()}}
		for i := range 1 + d.IntN(8) {
			w.routes = append(w.routes, d.route(i))
		}
		plan := w.plan(t)
		for range 100 {
			r := d.request()
			got, want := plan.ask(t, "http-80", r), judge(w, r)
			if got != want {
				t.Fatalf("seed %d: %+v goes to %s, want %s\n%s", seed, r, got, want, describe(t, plan))
			}
			answers[want == "404"]++
		}
	}
	if answers[true] == 0 || answers[false] == 0 {
		t.Errorf("requests that no route takes, or not: %v; the test needs both", answers)
	}
}

// dice makes objects of few words, so that they meet.
type dice struct{ *rand.Rand }

func pick[T any](d dice, list ...T) T { return list[d.IntN(len(list))] }

// some returns up to n different things of a list.
func some[T any](d dice, n int, list ...T) []T {
	list = slices.Clone(list)
	shuffle(d.Rand, list)
	return list[:d.IntN(min(n, len(list))+1)]
}

var hostnames = []string{"*.com", "*.a.com", "a.com", "x.a.com", "*.x.a.com", "y.x.a.com", "b.com"}

func (d dice) gateway() *gatewayv1.Gateway {
	g := &gatewayv1.Gateway{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}}
	for i, hostname := range append(some(d, 3, hostnames...), "") {
		g.Spec.Listeners = append(g.Spec.Listeners, gatewayv1.Listener{
			Name: gatewayv1.SectionName(fmt.Sprint("l", i)), Port: 80, Protocol: gatewayv1.HTTPProtocolType,
			Hostname: new(gatewayv1.Hostname(hostname)),
		})
	}
	return g
}

func (d dice) route(i int) *gatewayv1.HTTPRoute {
	r := &gatewayv1.HTTPRoute{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: fmt.Sprint("r", d.IntN(100), "-", i),
		CreationTimestamp: metav1.NewTime(time.Unix(int64(d.IntN(3)), 0)),
	}}
	parent := gatewayv1.ParentReference{Name: "web"}
	if d.IntN(2) == 0 {
		parent.SectionName = new(gatewayv1.SectionName(fmt.Sprint("l", d.IntN(4))))
	}
	r.Spec.ParentRefs = []gatewayv1.ParentReference{parent}
	for _, hostname := range some(d, 3, hostnames...) {
		r.Spec.Hostnames = append(r.Spec.Hostnames, gatewayv1.Hostname(hostname))
	}
	for rule := range 1 + d.IntN(3) {
		spec := gatewayv1.HTTPRouteRule{BackendRefs: []gatewayv1.HTTPBackendRef{{BackendRef: gatewayv1.BackendRef{
			BackendObjectReference: gatewayv1.BackendObjectReference{
				Name: gatewayv1.ObjectName(fmt.Sprint(r.Name, "-", rule)), Port: new(int32(80)),
			},
		}}}}
		for range d.IntN(3) {
			spec.Matches = append(spec.Matches, d.match())
		}
		r.Spec.Rules = append(r.Spec.Rules, spec)
	}
	return r
}

func (d dice) match() gatewayv1.HTTPRouteMatch {
	var m gatewayv1.HTTPRouteMatch
	if d.IntN(4) > 0 {
		kind := pick(d, gatewayv1.PathMatchExact, gatewayv1.PathMatchPathPrefix, gatewayv1.PathMatchRegularExpression)
		value := pick(d, "/", "/a", "/a/", "/a/b", "/ab")
		if kind == gatewayv1.PathMatchRegularExpression {
			value = pick(d, "/.*", "/a.*", "/[ab]/?b?")
		}
		m.Path = &gatewayv1.HTTPPathMatch{Type: &kind, Value: &value}
	}
	if d.IntN(4) == 0 {
		m.Method = new(pick(d, gatewayv1.HTTPMethodGet, gatewayv1.HTTPMethodPost))
	}
	for _, name := range some(d, d.IntN(3), "x", "y", "X") {
		m.Headers = append(m.Headers, gatewayv1.HTTPHeaderMatch{Name: gatewayv1.HTTPHeaderName(name), Value: pick(d, "1", "2")})
	}
	for _, name := range some(d, d.IntN(3), "p", "q", "P") {
		m.QueryParams = append(m.QueryParams, gatewayv1.HTTPQueryParamMatch{
			Name: gatewayv1.HTTPHeaderName(name), Value: "[12]", Type: new(gatewayv1.QueryParamMatchRegularExpression),
		})
	}
	return m
}

func (d dice) request() request {
	r := request{
		host: pick(d, "a.com", "x.a.com", "y.x.a.com", "z.y.x.a.com", "b.com", "c.com", "com", "localhost"),
		path: pick(d, "/", "/a", "/a/", "/a/b", "/ab", "/a/b/c"), method: pick(d, "GET", "POST"),
		headers: make(map[string]string), params: make(map[string]string),
	}
	for _, name := range some(d, 2, "x", "y") {
		r.headers[name] = pick(d, "1", "2")
	}
	for _, name := range some(d, 3, "p", "q", "P") {
		r.params[name] = pick(d, "1", "3")
	}
	return r
}

// candidateMatch is a match that takes a request, with all that precedence goes by.
type candidateMatch struct {
	order   []int // the greater goes first, the first number before the next
	created time.Time
	route   string
	rule    int
	backend string
}

// judge answers a request by the objects alone.
func judge(w *world, r request) string {
	listener := listenerOf(w.gateways[0], r.host)
	var all []candidateMatch
	for _, route := range w.routes {
		if section := route.Spec.ParentRefs[0].SectionName; section != nil && *section != listener.Name {
			continue
		}
		names := route.Spec.Hostnames
		if len(names) == 0 {
			names = []gatewayv1.Hostname{""}
		}
		for _, name := range names {
			if !stands(string(name), r.host) {
				continue
			}
			for i, rule := range route.Spec.Rules {
				for _, m := range append(rule.Matches, defaultMatches(rule)...) {
					if order, ok := takes(m, r); ok {
						all = append(all, candidateMatch{
							order: append(specificity(string(name)), order...), created: route.CreationTimestamp.Time,
							route: route.Name, rule: i, backend: "xdsready/absent/shop/" + string(rule.BackendRefs[0].Name) + "/80",
						})
					}
				}
			}
		}
	}
	if len(all) == 0 {
		return "404"
	}
	return slices.MinFunc(all, func(a, b candidateMatch) int {
		return cmp.Or(slices.Compare(b.order, a.order), a.created.Compare(b.created), cmp.Compare(a.route, b.route), cmp.Compare(a.rule, b.rule))
	}).backend
}

// listenerOf returns the listener with the most specific hostname for the host.
func listenerOf(g *gatewayv1.Gateway, host string) gatewayv1.Listener {
	var fit []gatewayv1.Listener
	for _, l := range g.Spec.Listeners {
		if stands(string(*l.Hostname), host) {
			fit = append(fit, l)
		}
	}
	return slices.MaxFunc(fit, func(a, b gatewayv1.Listener) int {
		return slices.Compare(specificity(string(*a.Hostname)), specificity(string(*b.Hostname)))
	})
}

// stands reports whether a hostname stands for the name of a host.
func stands(hostname, host string) bool {
	if hostname == "" || hostname == host {
		return true
	}
	parent, isWild := strings.CutPrefix(hostname, "*.")
	return isWild && strings.HasSuffix(host, "."+parent)
}

// specificity counts the characters of a hostname that is not a wildcard, then
// those of any.
func specificity(hostname string) []int {
	if strings.HasPrefix(hostname, "*") {
		return []int{0, len(hostname)}
	}
	return []int{len(hostname), len(hostname)}
}

func defaultMatches(rule gatewayv1.HTTPRouteRule) []gatewayv1.HTTPRouteMatch {
	if len(rule.Matches) > 0 {
		return nil
	}
	return []gatewayv1.HTTPRouteMatch{{}}
}

// takes reports whether a match takes a request, and its place in the order:
// exact path, expression, prefix by length, method, headers, parameters.
func takes(m gatewayv1.HTTPRouteMatch, r request) (order []int, ok bool) {
	kind, value := gatewayv1.PathMatchPathPrefix, "/"
	if m.Path != nil {
		kind, value = *m.Path.Type, *m.Path.Value
	}
	switch elements := strings.TrimSuffix(value, "/"); kind {
	case gatewayv1.PathMatchExact:
		order, ok = []int{2, 0}, r.path == value
	case gatewayv1.PathMatchRegularExpression:
		order, ok = []int{1, len(value)}, fullMatch(value, r.path)
	default:
		order, ok = []int{0, len(elements)}, strings.HasPrefix(r.path+"/", elements+"/")
	}
	method := 0
	if m.Method != nil {
		method, ok = 1, ok && r.method == string(*m.Method)
	}
	headers := make(map[string]bool)
	for _, h := range m.Headers {
		if name := strings.ToLower(string(h.Name)); !headers[name] {
			headers[name] = true
			ok = ok && r.headers[name] == h.Value
		}
	}
	for _, q := range m.QueryParams {
		value, present := r.params[string(q.Name)]
		ok = ok && present && fullMatch(q.Value, value)
	}
	return append(order, method, len(headers), len(m.QueryParams)), ok
}
