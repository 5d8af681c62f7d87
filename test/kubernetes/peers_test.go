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

// valve is a filter that keeps back what comes while it is shut.
type valve struct {
	mu     sync.Mutex // guards opened
	opened chan struct{}
}

func newValve() *valve {
	v := &valve{opened: make(chan struct{})}
	close(v.opened)
	return v
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

func (v *valve) open() {
	v.mu.Lock()
	defer v.mu.Unlock()
	close(v.opened)
}

// stale starts a replica that lags behind a peer: it has read all, but its watch of
// a resource brings nothing, while a change of that resource has reached the peer
// and, from there, a proxy.
func stale(t *testing.T, resource string, change func(t *testing.T, s *scene, peer *program), flags ...string) (*scene, *program, *valve) {
	t.Helper()
	s := newSceneWithClass(t, shared)
	s.create(t, append(s.backend("app"), s.gateway("gw"), s.route("first", "gw", "app"), s.route("doomed", "gw", "app"))...)
	peer := s.serve(t, "--peers", newHost()+":18000") // so that it answers; its own peer is none
	peer.wantReady(t)

	r, v, resume := startRelay(t, s.environment.Config), newValve(), make(chan struct{})
	r.set(resource, v.filter)
	r.pause("namespaces", resume) // another resource, so that the start does not go on too soon
	late := serve(t, r.kubeconfig(t), s.flags(append(flags, "--peers", peer.xds)...)...)
	late.until(t, "/readyz?verbose", "through its first reads", func(_ int, body string) bool {
		return hasLine(body, "[+]informers/"+resource) && hasLine(body, "[-]informers/namespaces")
	})
	v.shut()
	change(t, s, peer)
	close(resume)
	return s, late, v
}

// A replica that starts and lags behind a peer stays red, and says behind what,
// until it has read what the peer had. What it serves then has it all.
func TestStaleReplicaWaitsForPeers(t *testing.T) {
	t.Parallel()
	added := func(t *testing.T, s *scene, peer *program) {
		t.Helper()
		s.create(t, s.route("second", "gw", "app"))
		connect(t, peer, "delta", ofGateway(s.group("gw"))).until(t, "the new route", s.serves("second", "app"))
	}
	removed := func(t *testing.T, s *scene, peer *program) {
		t.Helper()
		s.remove(t, &gatewayv1.HTTPRoute{ObjectMeta: s.meta("doomed")})
		connect(t, peer, "delta", ofGateway(s.group("gw"))).until(t, "no such route", func(v view) bool {
			return v.targets()[pathOf("first")] != "" && v.targets()[pathOf("doomed")] == ""
		})
	}
	unserved := func(t *testing.T, s *scene, peer *program) {
		t.Helper()
		s.update(t, s.slice("app"))
		connect(t, peer, "delta", ofGateway(s.group("gw"))).until(t, "no endpoint", func(v view) bool {
			return v.clusters()[s.cluster("app")] != nil && len(v.endpoints(s.cluster("app"))) == 0
		})
	}
	for name, test := range map[string]struct {
		resource string
		change   func(*testing.T, *scene, *program)
		follows  func(s *scene, v view) bool
	}{
		"a new route":       {"httproutes", added, func(_ *scene, v view) bool { return v.targets()[pathOf("second")] != "" }},
		"a deleted route":   {"httproutes", removed, func(_ *scene, v view) bool { return v.targets()[pathOf("doomed")] == "" }},
		"endpoints that go": {"endpointslices", unserved, func(s *scene, v view) bool { return len(v.endpoints(s.cluster("app"))) == 0 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, late, v := stale(t, test.resource, test.change)
			late.wantNamed(t, "peers/inputs", "had read "+test.resource+" up to ", "here it is ")
			never(t, "ready without what its peer knows", time.Second, func() bool { return late.ready(t) })
			v.open()
			late.wantReady(t)
			connectWatched(t, late, "delta", ofGateway(s.group("gw")), func(held view) {
				if held.targets()[pathOf("first")] != "" && !test.follows(s, held) {
					t.Errorf("the proxy was sent what the peer had replaced: %v", held.targets())
				}
			}).until(t, "its config", func(held view) bool { return held.targets()[pathOf("first")] != "" })
		})
	}
}

// At --peers-deadline a stale replica goes on, which is shown.
func TestPeersDeadline(t *testing.T) {
	t.Parallel()
	_, late, _ := stale(t, "httproutes", func(t *testing.T, s *scene, peer *program) {
		t.Helper()
		s.create(t, s.route("second", "gw", "app"))
		connect(t, peer, "delta", ofGateway(s.group("gw"))).until(t, "the new route", s.serves("second", "app"))
	}, "--peers-deadline", "2s")
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
