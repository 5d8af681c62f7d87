package kubernetes

import (
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/xdsready/xdsready/test/process"
)

// witness looks at all that proxies are sent, for routes to what they were not.
type witness struct {
	scene *scene
	// backendFirst has the routes, by path, whose Service and EndpointSlice were
	// there before.
	backendFirst sync.Map

	views     atomic.Int64
	noCluster atomic.Int64 // routes whose cluster the proxy does not have
	noAddress atomic.Int64 // routes whose cluster has no endpoint there
}

// look is called with each state of a proxy.
func (w *witness) look(v view) {
	w.views.Add(1)
	clusters := v.clusters()
	for path, cluster := range v.targets() {
		if _, ok := w.backendFirst.Load(path); !ok {
			continue
		}
		switch {
		case clusters[cluster] == nil:
			w.noCluster.Add(1)
		case len(v.endpoints(cluster)) == 0:
			w.noAddress.Add(1)
		}
	}
}

// references is how many routes are made after what they refer to;
// REFERENCES=10000 is a long run.
func references(t *testing.T) int {
	t.Helper()
	text := os.Getenv("REFERENCES")
	if text == "" {
		return 2000
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("REFERENCES: %v", err)
	}
	return n
}

// referenceGateways is how many Gateways the routes are spread over.
const referenceGateways = 10

// create makes n routes after what they refer to, and after every fourth of them
// one that comes before, at all Gateways at a time.
func (w *witness) create(t *testing.T, n int) {
	t.Helper()
	var running sync.WaitGroup
	for gateway := range referenceGateways {
		running.Go(func() {
			for i := range routesOf(n) {
				name := fmt.Sprintf("r%d-%d", gateway, i)
				route := w.scene.route(name, gatewayName(gateway), name)
				objects := append(w.scene.backend(name), route)
				if i%5 == 4 {
					objects = append([]client.Object{route}, w.scene.backend(name)...)
				} else {
					w.backendFirst.Store(pathOf(name), true)
				}
				for _, object := range objects {
					if err := w.scene.client.Create(t.Context(), object); err != nil {
						t.Errorf("creating %s: %v", name, err)
						return
					}
				}
			}
		})
	}
	running.Wait()
}

// routesOf is how many routes a Gateway has after create.
func routesOf(n int) int { return n / referenceGateways * 5 / 4 }

func gatewayName(i int) string { return fmt.Sprintf("gw%d", i) }

// newWitness makes a scene with Gateways, and starts the program behind a relay
// that delays what Services and EndpointSlices there are, with a proxy for each.
func newWitness(t *testing.T, path string, flags ...string) (*witness, *program, []*proxy) {
	t.Helper()
	s := newSceneWithClass(t, shared)
	for i := range referenceGateways {
		s.create(t, s.gateway(gatewayName(i)))
	}
	r := startRelay(t, s.environment.Config)
	r.set("services", delayed)
	r.set("endpointslices", delayed)
	p := start(t, path, r.kubeconfig(t), s.flags(flags...)...)
	p.wantReady(t)
	w := &witness{scene: s}
	var proxies []*proxy
	for i := range referenceGateways {
		x := connectWatched(t, p, transports[i%len(transports)], ofGateway(s.group(gatewayName(i))), w.look)
		x.until(t, "its listener", func(v view) bool { return len(v.listeners()) == 1 })
		proxies = append(proxies, x)
	}
	return w, p, proxies
}

// newcomer connects a proxy for a moment. What it is sent first is the latest
// snapshot as it is, since there is nothing that an order could keep up.
func (w *witness) newcomer(t *testing.T, p *program, transport string, gateway int) {
	t.Helper()
	x := connectWatched(t, p, transport, ofGateway(w.scene.group(gatewayName(gateway))), func(v view) {
		w.views.Add(1)
		for path, cluster := range v.targets() {
			if _, ok := w.backendFirst.Load(path); ok && v.clusters()[cluster] == nil {
				w.noCluster.Add(1)
			}
		}
	})
	x.until(t, "its route table", func(v view) bool { return len(v[resourcev3.RouteType]) == 1 })
	x.close()
}

// No proxy is ever sent a route to a Service that was there before the route,
// but not its cluster with its endpoints, however late the watches of these are.
// Where the route came first, its cluster follows.
func TestNoReferenceWithoutItsReferent(t *testing.T) {
	t.Parallel()
	n := references(t)
	w, p, proxies := newWitness(t, command)
	created := make(chan struct{})
	go func() {
		defer close(created)
		w.create(t, n)
	}()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for newcomers := 0; !isClosed(created); newcomers++ {
		w.newcomer(t, p, transports[newcomers%len(transports)], newcomers%referenceGateways)
		<-tick.C
	}
	for _, x := range proxies {
		x.until(t, "all its routes, with all their clusters", func(v view) bool {
			for _, cluster := range v.targets() {
				if len(v.endpoints(cluster)) == 0 {
					return false
				}
			}
			return len(v.targets()) == routesOf(n)
		})
	}
	t.Logf("states of proxies that were looked at: %d", w.views.Load())
	if w.noCluster.Load()+w.noAddress.Load() > 0 {
		t.Errorf("of %d states that proxies were in, %d routes had no cluster and %d a cluster without endpoints, though all of it was there before the route",
			w.views.Load(), w.noCluster.Load(), w.noAddress.Load())
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// The same without the gate and its confirmations goes wrong: the test above can
// see what it looks for.
func TestWitnessSeesReferencesWithoutReferents(t *testing.T) {
	t.Parallel()
	w, _, _ := newWitness(t, ungatedCommand, "--test-no-gate")
	w.create(t, 200)
	if !within(process.Limit, func() bool { return w.noCluster.Load() > 0 }) {
		t.Error("no route without its cluster was seen without the gate")
	}
	t.Logf("routes without their cluster: %d, without endpoints: %d, in %d states", w.noCluster.Load(), w.noAddress.Load(), w.views.Load())
}
