package xds_test

import (
	"testing"
	"testing/synctest"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/xdsready/xdsready/pkg/xds"
)

// want checks the names of a response's resources.
func want(t *testing.T, what string, r *discovery.DiscoveryResponse, names ...string) {
	t.Helper()
	if diff := cmp.Diff(append([]string{}, names...), resources(t, r)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// ackFor acknowledges a response and asks for these names.
func ackFor(r *discovery.DiscoveryResponse, names ...string) *discovery.DiscoveryRequest {
	request := ack(r)
	request.ResourceNames = names
	return request
}

// asks opens an ADS stream that asks for these names of a type.
func (r *rig) asks(t *testing.T, typeURL string, names ...string) *sotwPipe {
	t.Helper()
	p := r.sotwPipe(t, "")
	send(t, p, &discovery.DiscoveryRequest{Node: node("envoy", ""), TypeUrl: typeURL, ResourceNames: names})
	return p
}

func TestSotWFirstRequest(t *testing.T) {
	for name, test := range map[string]struct{ asked, want []string }{
		"no names are all":        {nil, []string{"a", "b", "c"}},
		"a star is all":           {[]string{"*"}, []string{"a", "b", "c"}},
		"a star with names":       {[]string{"b", "*", "x"}, []string{"a", "b", "c"}},
		"one name":                {[]string{"b"}, []string{"b"}},
		"a name twice":            {[]string{"b", "b"}, []string{"b"}},
		"one that does not exist": {[]string{"b", "x"}, []string{"b"}},
		"none that exists":        {[]string{"x"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newServer(t, nil, xds.Options{})
				r.set(t, xds.AllGroup, edsCluster("a"), edsCluster("b"), edsCluster("c"))
				p := r.asks(t, resourcev3.ClusterType, test.asked...)
				want(t, "first response", receive(t, p), test.want...)
				p.silent(t, time.Hour)
			})
		})
	}
}

// What a proxy asks for may change at any time: with an ACK, or on its own.
func TestSotWNamesChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newServer(t, nil, xds.Options{})
		r.set(t, xds.AllGroup, loadAssignment("a"), loadAssignment("b"), loadAssignment("c"))
		p := r.asks(t, resourcev3.EndpointType, "a")
		first := receive(t, p)
		want(t, "at first", first, "a")

		send(t, p, ackFor(first, "a", "b"))
		second := receive(t, p)
		want(t, "one more name", second, "b")
		send(t, p, ackFor(second, "b")) // gives up a
		p.silent(t, time.Minute)
		r.set(t, xds.AllGroup, endpointsAt("a", 1), loadAssignment("b"), endpointsAt("c", 1))
		p.silent(t, time.Minute)

		send(t, p, ackFor(second, "a", "b"))
		third := receive(t, p)
		want(t, "a name that was given up", third, "a")
		send(t, p, ackFor(third)) // none: names were given before, so this is not all
		p.silent(t, time.Minute)
		send(t, p, ackFor(third, "*"))
		want(t, "a star", receive(t, p), "a", "b", "c")
	})
}

// A proxy that wants all may say so later, and take it back.
func TestSotWWildcardComesAndGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newServer(t, nil, xds.Options{})
		r.set(t, xds.AllGroup, edsCluster("a"), edsCluster("b"))
		p := r.asks(t, resourcev3.ClusterType, "a")
		first := receive(t, p)
		want(t, "named", first, "a")
		send(t, p, ackFor(first, "*", "a"))
		second := receive(t, p)
		want(t, "a star with a name", second, "a", "b")
		send(t, p, ackFor(second, "b"))
		r.set(t, xds.AllGroup, edsCluster("a"), edsCluster("b"), edsCluster("c"))
		p.silent(t, time.Minute) // c is asked for no longer
	})
}

// A proxy need not wait for a response before it changes its mind.
func TestSotWNamesBeforeTheFirstResponse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newServer(t, nil, xds.Options{})
		r.set(t, xds.AllGroup, loadAssignment("a"), loadAssignment("b"))
		p := r.asks(t, resourcev3.EndpointType, "a")
		send(t, p, &discovery.DiscoveryRequest{TypeUrl: resourcev3.EndpointType, ResourceNames: []string{"a", "b"}})
		want(t, "first names", receive(t, p), "a")
		want(t, "names added since", receive(t, p), "b")
	})
}

// Envoy sends one more request with an old nonce while its names change. It is
// not answered, and what comes with the current nonce is compared with what was
// answered, not with that.
func TestSotWStaleNonce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newServer(t, nil, xds.Options{})
		r.set(t, xds.AllGroup, loadAssignment("a"), loadAssignment("b"))
		p := r.asks(t, resourcev3.EndpointType, "a")
		first := receive(t, p)
		send(t, p, ackFor(first, "a"))
		r.set(t, xds.AllGroup, endpointsAt("a", 1), loadAssignment("b"))
		second := receive(t, p)
		send(t, p, ackFor(first, "a", "b"))
		p.silent(t, time.Minute)
		send(t, p, ackFor(second, "a", "b"))
		want(t, "with the current nonce", receive(t, p), "b")
	})
}

// A request that repeats an ACK answers nothing: the proxy asks to be sent
// again what a cluster needs that warms once more.
func TestSotWDuplicateMeansSendAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newServer(t, nil, xds.Options{})
		r.set(t, xds.AllGroup, loadAssignment("a"), loadAssignment("b"))
		p := r.asks(t, resourcev3.EndpointType, "a")
		first := receive(t, p)
		send(t, p, ackFor(first, "a"))
		p.silent(t, time.Minute)
		send(t, p, ackFor(first, "a"))
		again := receive(t, p)
		want(t, "again", again, "a")
		if again.GetVersionInfo() != first.GetVersionInfo() || again.GetNonce() == first.GetNonce() {
			t.Errorf("again: version %q, nonce %q; at first %q, %q",
				again.GetVersionInfo(), again.GetNonce(), first.GetVersionInfo(), first.GetNonce())
		}
	})
}

// What is absent is awaited, not refused: what exists comes now, the rest when
// it does.
func TestSotWOnDemand(t *testing.T) {
	for _, typeURL := range []string{resourcev3.EndpointType, resourcev3.SecretType} {
		t.Run(typeURL, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newServer(t, nil, xds.Options{})
				r.set(t, xds.AllGroup, loadAssignment("a"), secret("a"))
				p := r.asks(t, typeURL, "a", "late")
				first := receive(t, p) // and no type waits for clusters to be asked for
				want(t, "now", first, "a")
				send(t, p, ackFor(first, "a", "late"))
				p.silent(t, time.Hour)
				r.set(t, xds.AllGroup, loadAssignment("a"), loadAssignment("late"), secret("a"), secret("late"))
				want(t, "when it exists", p.nextAfter(t, 0), "late")
			})
		})
	}
}

// A route table that does not exist is an empty one: else a listener warms
// until its timeout, or for ever.
func TestSotWAbsentRouteTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newServer(t, nil, xds.Options{})
		r.set(t, xds.AllGroup, routeTable("a"))
		p := r.asks(t, resourcev3.RouteType, "a", "late")
		first := receive(t, p)
		want(t, "now", first, "a", "late")
		send(t, p, ackFor(first, "a", "late", "later"))
		second := receive(t, p)
		want(t, "asked for in the middle", second, "later")
		send(t, p, ackFor(second, "a", "late", "later"))
		p.silent(t, time.Hour)
		r.set(t, xds.AllGroup, routeTable("a"), routeTable("late", "example.com"))
		want(t, "when it exists", receive(t, p), "late")
	})
}

// A version is one of the resources that answer the names, whatever their order:
// equal on every replica, and other when the names have grown.
func TestSotWVersionCoversTheNames(t *testing.T) {
	version := func(asked ...string) (version string) {
		synctest.Test(t, func(t *testing.T) {
			r := newServer(t, nil, xds.Options{})
			r.set(t, xds.AllGroup, loadAssignment("a"), loadAssignment("b"))
			version = receive(t, r.asks(t, resourcev3.EndpointType, asked...)).GetVersionInfo()
		})
		return version
	}
	one, both := version("a"), version("a", "b")
	if one == "" || one == both {
		t.Errorf("[a] has version %q, [a b] %q", one, both)
	}
	for _, same := range []string{version("b", "a"), version(), version("a", "b", "x")} {
		if same != both {
			t.Errorf("the same resources have version %q, and %q", same, both)
		}
	}
	if got := version("a", "x"); got != one {
		t.Errorf("[a] with an absent name has version %q, without %q", got, one)
	}
}
