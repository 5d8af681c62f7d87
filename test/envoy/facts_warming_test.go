package envoy

import (
	"strings"
	"testing"
	"time"

	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"

	"github.com/xdsready/xdsready/pkg/xds"
)

// slowToWarm is a cluster that is warm after this time: the health check of its
// only host has no answer until then.
func slowToWarm(t *testing.T, timeout string) string {
	t.Helper()
	return strings.Replace(warmingSwap(startSilent(t))(1, "")["warming"], "timeout: 3600s", "timeout: "+timeout, 1)
}

// The ACK of a first load's clusters says nothing, but that listeners are asked
// for does: then all clusters are warm.
func TestFactFirstLoad(t *testing.T) {
	t.Parallel()
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			o := startObserved(t, xds.Options{})
			o.envoy(t, transport, with(whole(startBackend(t)), "warming", slowToWarm(t, "1s")))
			sent := o.await(t, 0, "clusters", brings(resourcev3.ClusterType, "warming"))
			ack := o.await(t, 0, "their ACK", answers(sent))
			listeners := o.await(t, 0, "the request for listeners", func(m message) bool { return !m.response && m.typeURL == resourcev3.ListenerType })
			if took := ack.at.Sub(sent.at); took > 900*time.Millisecond {
				t.Errorf("the ACK came after %v: it waited for the warming cluster", took)
			}
			if took := listeners.at.Sub(sent.at); took < 900*time.Millisecond {
				t.Errorf("listeners were asked for after %v: not when all clusters were warm", took)
			}
		})
	}
}

// After the first load the answer to clusters, ACK or NACK, comes when all are warm.
func TestFactAnswerMeansWarm(t *testing.T) {
	t.Parallel()
	for _, transport := range transports {
		for name, beside := range map[string]string{"ACK": "", "NACK": rejectedSwap(1, "127.0.0.1:9")["rejected"]} {
			t.Run(name+", "+transport, func(t *testing.T) {
				t.Parallel()
				files := whole(startBackend(t))
				o := startObserved(t, xds.Options{})
				o.envoy(t, transport, files)
				place := o.now()
				o.publish(t, parse(t, with(with(files, "warming", slowToWarm(t, "1s")), "beside", beside)))
				sent := o.await(t, place, "the cluster", brings(resourcev3.ClusterType, "warming"))
				answer := o.await(t, place, "its answer", answers(sent))
				if took := answer.at.Sub(sent.at); took < 900*time.Millisecond {
					t.Errorf("the answer came after %v: it did not wait for the warming cluster", took)
				}
				if (answer.nack != "") != (name == "NACK") {
					t.Errorf("it is %q", answer.nack)
				}
			})
		}
	}
}

// While a cluster warms, no response is answered. In delta all are afterwards, in
// SotW only the last one.
func TestFactAnswersThatWait(t *testing.T) {
	t.Parallel()
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			files := with(whole(startBackend(t)), "warming", slowToWarm(t, "2s"))
			o := startObserved(t, xds.Options{})
			o.envoy(t, transport, whole(startBackend(t)))
			place := o.now()
			o.publish(t, parse(t, files))
			first := o.await(t, place, "the first response", brings(resourcev3.ClusterType, "warming"))
			o.publish(t, parse(t, with(files, "more", clusters("more"))))
			second := o.await(t, place, "the second response", brings(resourcev3.ClusterType, "more"))
			ack := o.await(t, place, "the answer to the second", answers(second))
			if took := ack.at.Sub(first.at); took < 1900*time.Millisecond {
				t.Errorf("the answer came after %v: it did not wait for the warming cluster", took)
			}
			want := map[string]int{"delta": 1, "sotw": 0}[transport]
			if got := len(o.since(place, answers(first))); got != want {
				t.Errorf("the first response has %d answers, want %d", got, want)
			}
		})
	}
}

// A cluster that is changed while its endpoints are not, or that is new and
// shares the endpoints of another, is warm at once: it gets them again unasked.
func TestFactEndpointsAreSentAgain(t *testing.T) {
	t.Parallel()
	for name, next := range map[string]string{
		"changed": strings.Replace(clusters("backend"), "  type: EDS\n", "  type: EDS\n  connect_timeout: 3s\n", 1),
		"shared":  clusters("backend") + strings.Replace(strings.TrimPrefix(clusters("twin"), "resources:\n"), "{eds_config:", "{service_name: backend, eds_config:", 1),
	} {
		for _, transport := range transports {
			t.Run(name+", "+transport, func(t *testing.T) {
				t.Parallel()
				files := whole(startBackend(t))
				o := startObserved(t, xds.Options{})
				envoy := o.envoy(t, transport, files)
				stop := steadyTraffic(t, envoy)
				place := o.now()
				o.publish(t, parse(t, with(files, "clusters.yaml", next)))
				sent := o.await(t, place, "the clusters", brings(resourcev3.ClusterType, ""))
				ack := o.await(t, place, "their ACK", answers(sent))
				if took := ack.at.Sub(sent.at); took > quick {
					t.Errorf("warm after %v", took)
				}
				noFailures(t, stop)
			})
		}
	}
}

// A cluster whose endpoints and secrets are ACKed is warm, although another one
// holds the ACK of the clusters: the route switches.
func TestFactWarmBesideAWarmingCluster(t *testing.T) {
	t.Parallel()
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			files := whole(startBackend(t))
			o := startObserved(t, xds.Options{})
			envoy := o.envoy(t, transport, files)
			stop := steadyTraffic(t, envoy)
			place := o.now()
			files["warming"] = slowToWarm(t, "3600s")
			o.publish(t, parse(t, files))
			eventually(t, "a warming cluster", func() bool { return envoy.stat("cluster_manager.warming_clusters") == "1" })

			secure, ca := startSecureBackend(t)
			files["secure"], files["its endpoints"], files["ca"] = secureCluster, endpoints("secure", secure), ca
			files["routes.yaml"] = routes("secure")
			o.publish(t, parse(t, files))
			took := eventually(t, "requests over the new cluster", func() bool { return envoy.stat("cluster.secure.upstream_rq_200") > "0" })
			if took > quick {
				t.Errorf("the switch came after %v", took)
			}
			if acks := o.since(place, accepts(resourcev3.ClusterType)); len(acks) > 0 {
				t.Errorf("the clusters are ACKed while one warms: %v", acks)
			}
			noFailures(t, stop)
		})
	}
}
