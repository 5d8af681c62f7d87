package envoy

import (
	"strings"
	"testing"

	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"

	"github.com/xdsready/xdsready/pkg/xds"
)

// faultPerRoute are routes that configure the fault filter for themselves.
func faultPerRoute(cluster string) string {
	return strings.TrimSuffix(routes(cluster), "\n") + `
      typed_per_filter_config:
        envoy.filters.http.fault:
          "@type": type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault
          delay: {fixed_delay: 0.001s, percentage: {numerator: 100}}
`
}

// A filter that routes configure comes before their config, and goes after it.
func TestFactFilterWithConfigForRoutes(t *testing.T) {
	t.Parallel()
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			plain := whole(startBackend(t))
			filtered := with(with(plain, "listeners.yaml", holding), "routes.yaml", faultPerRoute("backend"))
			o := startObserved(t, xds.Options{})
			envoy := o.envoy(t, transport, plain, "--drain-time-s", "2")
			stop := steadyTraffic(t, envoy)

			place := o.now()
			o.publish(t, parse(t, filtered))
			o.wantOrder(t, place, brings(resourcev3.ListenerType, "http"), accepts(resourcev3.ListenerType), brings(resourcev3.RouteType, "main"))
			eventually(t, "requests that are delayed", func() bool { return envoy.stat("http.http.fault.delays_injected") > "0" })

			place = o.now()
			o.publish(t, parse(t, plain))
			o.wantOrder(t, place, brings(resourcev3.RouteType, "main"), accepts(resourcev3.RouteType), brings(resourcev3.ListenerType, "http"))
			eventually(t, "the last change", func() bool { return envoy.stat("listener_manager.listener_in_place_updated") == "2" })
			if nacks := o.since(0, func(m message) bool { return m.nack != "" }); len(nacks) > 0 {
				t.Errorf("Envoy rejects %v", nacks)
			}
			noFailures(t, stop)
		})
	}
}

// wantOrder waits for messages of these kinds and fails the test unless the
// first of each kind since a place come in this order.
func (o *observed) wantOrder(t *testing.T, place int, kinds ...func(message) bool) {
	t.Helper()
	var before message
	for n, is := range kinds {
		m := o.await(t, place, "a message", is)
		if m.at.Before(before.at) {
			t.Errorf("message %d %v came before %v", n+1, m, before)
		}
		before = m
	}
}
