package kubernetes

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// valve is a filter that keeps back what comes while it is shut. It starts open.
type valve struct {
	mu     sync.Mutex    // guards opened
	opened chan struct{} // nil: it is open; closed when it opens
}

func (v *valve) filter(response *http.Response) {
	response.Body = newPipeline(response.Body, func(int) <-chan struct{} {
		v.mu.Lock()
		defer v.mu.Unlock()
		return v.opened
	})
}

func (v *valve) shut() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.opened = make(chan struct{})
}

// open may be called again.
func (v *valve) open() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.opened != nil {
		close(v.opened)
		v.opened = nil
	}
}

// laggard is a replica that starts behind a peer: it has read all, but its watch of
// a resource brings nothing, while a change of that resource has reached the peer
// and, from there, a proxy.
type laggard struct {
	*scene
	*program
	relay *relay
	watch valve
}

func newLaggard(t *testing.T, resource string, change func(t *testing.T, s *scene, x *proxy), flags ...string) *laggard {
	t.Helper()
	s := newSceneWithClass(t, shared)
	s.create(t, append(s.backend("app"), s.gateway("gw"), s.route("first", "gw", "app"), s.route("doomed", "gw", "app"))...)
	peer := s.serve(t, "--peers", newHost()+":18000") // so that it answers; its own peer is none
	peer.wantReady(t)

	l, resume := &laggard{scene: s, relay: startRelay(t, s.environment.Config)}, make(chan struct{})
	t.Cleanup(l.watch.open) // or the relay would never end
	l.relay.set(resource, l.watch.filter)
	l.relay.pause("namespaces", resume) // another resource, so that the start does not go on too soon
	l.program = serve(t, l.relay.kubeconfig(t), s.flags(append(flags, "--peers", peer.xds)...)...)
	l.until(t, "/readyz?verbose", "through its first reads", func(_ int, body string) bool {
		return hasLine(body, "[+]informers/"+resource) && hasLine(body, "[-]informers/namespaces")
	})
	l.watch.shut()
	change(t, s, connect(t, peer, "delta", ofGateway(s.group("gw"))))
	close(resume)
	return l
}

// Changes that a proxy of the peer has seen.

func addRoute(t *testing.T, s *scene, x *proxy) {
	t.Helper()
	s.create(t, s.route("second", "gw", "app"))
	x.until(t, "the new route", s.serves("second", "app"))
}

func removeRoute(t *testing.T, s *scene, x *proxy) {
	t.Helper()
	s.remove(t, &gatewayv1.HTTPRoute{ObjectMeta: s.meta("doomed")})
	x.until(t, "no such route", func(v view) bool {
		return v.targets()[pathOf("first")] != "" && v.targets()[pathOf("doomed")] == ""
	})
}

func removeEndpoints(t *testing.T, s *scene, x *proxy) {
	t.Helper()
	s.update(t, s.slice("app"))
	x.until(t, "no endpoint", func(v view) bool {
		return v.clusters()[s.cluster("app")] != nil && len(v.endpoints(s.cluster("app"))) == 0
	})
}

// wantUpToDate waits until the replica is ready, and fails the test if it sends a
// proxy anything that lacks the change.
func (l *laggard) wantUpToDate(t *testing.T, follows func(view) bool) {
	t.Helper()
	l.wantReady(t)
	connectWatched(t, l.program, "delta", ofGateway(l.group("gw")), func(v view) {
		if v.targets()[pathOf("first")] != "" && !follows(v) {
			t.Errorf("the proxy was sent what the peer had replaced: %v", v.targets())
		}
	}).until(t, "its config", func(v view) bool { return v.targets()[pathOf("first")] != "" })
}

func hasNoDoomed(v view) bool { return v.targets()[pathOf("doomed")] == "" }

// A replica that starts and lags behind a peer stays red, and says behind what,
// until it has read what the peer had. What it serves then has it all.
func TestStaleReplicaWaitsForPeers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		resource string
		change   func(*testing.T, *scene, *proxy)
		follows  func(s *scene, v view) bool
	}{
		"a new route":       {"httproutes", addRoute, func(_ *scene, v view) bool { return v.targets()[pathOf("second")] != "" }},
		"a deleted route":   {"httproutes", removeRoute, func(_ *scene, v view) bool { return hasNoDoomed(v) }},
		"endpoints that go": {"endpointslices", removeEndpoints, func(s *scene, v view) bool { return len(v.endpoints(s.cluster("app"))) == 0 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLaggard(t, test.resource, test.change)
			l.wantNamed(t, "peers/inputs", "had read "+test.resource+" up to ", "here it is ")
			never(t, "ready without what its peer knows", time.Second, func() bool { return l.ready(t) })
			l.watch.open()
			l.wantUpToDate(t, func(v view) bool { return test.follows(l.scene, v) })
		})
	}
}

// To have read a delete is not enough: it counts once it is known to be no sign of
// a CRD that goes, which the API server is asked for.
func TestStaleReplicaWorksItIn(t *testing.T) {
	t.Parallel()
	l, resume := newLaggard(t, "httproutes", removeRoute), make(chan struct{})
	l.relay.pause("httproutes.gateway.networking.k8s.io", resume)
	l.watch.open()
	l.wantNamed(t, "peers/inputs", "what was read is not worked in yet")
	never(t, "ready with a delete in doubt", time.Second, func() bool { return l.ready(t) })
	close(resume)
	l.wantUpToDate(t, hasNoDoomed)
}

// At --peers-deadline a stale replica goes on, which is shown.
func TestPeersDeadline(t *testing.T) {
	t.Parallel()
	late := newLaggard(t, "httproutes", addRoute, "--peers-deadline", "2s")
	late.until(t, "/readyz?verbose", "green without", func(code int, body string) bool {
		return code == http.StatusOK && hasLine(body, "peers/inputs", "gave up after 2s")
	})
	if skipped, _ := late.metric(t, `xdsready_checks_skipped_total{tier="peers"}`); skipped != 1 {
		t.Errorf("%v checks were skipped, want 1", skipped)
	}
	late.until(t, "/metrics", "less than equal to its peer", func(_ int, body string) bool {
		return hasLine(body, "xdsready_peer_parity 0")
	})
}

// Replicas that start together do not wait for each other.
func TestReplicasStartTogether(t *testing.T) {
	t.Parallel()
	s := newSceneWithClass(t, shared)
	s.create(t, append(s.backend("app"), s.gateway("gw"), s.route("r", "gw", "app"))...)
	listeners := []string{newHost() + ":18000", newHost() + ":18000"}
	var programs []*program
	for _, address := range listeners {
		// The last flag of a name counts.
		p := s.serve(t, "--peers", strings.Join(listeners, ","), "--xds-address", address)
		p.xds = address
		programs = append(programs, p)
	}
	for _, p := range programs {
		p.wantReady(t)
		if seconds, _ := p.metric(t, `xdsready_tier_sync_seconds{tier="peers"}`); seconds > 5 {
			t.Errorf("the tier took %v s", seconds)
		}
		p.until(t, "/metrics", "equal to its peer", func(_ int, body string) bool {
			return hasLine(body, `xdsready_peers{state="ready"} 1`) && hasLine(body, "xdsready_peer_parity 1")
		})
	}
}

// With tokens a replica proves by that of its own ServiceAccount that it is one.
func TestPeersByToken(t *testing.T) {
	t.Parallel()
	s := newSceneWithClass(t, shared)
	s.create(t, append(s.backend("app"), s.gateway("gw"), s.route("r", "gw", "app"))...)
	server, dir := newKeyPair(t, programName), t.TempDir()
	files := map[string]string{"tls.crt": string(server.certificate), "tls.key": string(server.key)}
	for _, account := range []string{"xdsready", "other"} {
		s.create(t, &corev1.ServiceAccount{ObjectMeta: s.meta(account)})
		files[account] = s.token(t, account, audience)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	replica := func(account, peers string) *program {
		return s.serve(t, "--token-audience", audience,
			"--tls-cert", filepath.Join(dir, "tls.crt"), "--tls-key", filepath.Join(dir, "tls.key"),
			"--peers", peers, "--peer-san", programName, "--peer-ca", filepath.Join(dir, "tls.crt"),
			"--peer-token-file", filepath.Join(dir, account))
	}
	first := replica("xdsready", newHost()+":18000")
	first.wantReady(t)
	second := replica("xdsready", first.xds)
	second.wantReady(t)
	second.until(t, "/metrics", "in touch with its peer", func(_ int, body string) bool {
		return hasLine(body, `xdsready_peers{state="ready"} 1`)
	})
	stranger := replica("other", first.xds)
	stranger.wantNamed(t, "peers/inputs", "not a peer: its token is that of", "system:serviceaccount:"+s.namespace+":other")
}
