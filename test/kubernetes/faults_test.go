package kubernetes

import (
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
)

// soon is within how long a fault must be named.
const soon = time.Second

// wantNamedSoon is wantNamed, within a second of the program's first answer.
func (p *program) wantNamedSoon(t *testing.T, words ...string) {
	t.Helper()
	took := p.wantNamed(t, words...)
	t.Logf("named after %v", took.Round(time.Millisecond))
	if took > soon {
		t.Errorf("%q was named after %v, want at most 1 s", words, took)
	}
}

// A right that is missing is named in the API server's words; once it is given,
// the program becomes ready by itself.
func TestForbidden(t *testing.T) {
	t.Parallel()
	for _, resource := range []string{"endpointslices", "httproutes", "secrets"} {
		t.Run(resource, func(t *testing.T) {
			t.Parallel()
			s := newSceneWithClass(t, shared)
			kubeconfig := s.userKubeconfig(t, s.namespace)
			rules := reading()
			missing := rules[resource]
			delete(rules, resource)
			allowed := []rbacv1.PolicyRule{writing()}
			for _, rule := range rules {
				allowed = append(allowed, rule)
			}
			s.grant(t, subject(s.namespace), "all-but-one", allowed...)
			p := serve(t, kubeconfig, s.flags()...)
			p.wantNamedSoon(t, "informers/"+resource, "forbidden", `User "`+s.namespace+`" cannot`, `resource "`+resource+`"`)
			s.grant(t, subject(s.namespace), "the-one", missing)
			p.wantReady(t)
		})
	}
}

// An API server that is not there is named, with the reason; once it is there,
// the program becomes ready by itself.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		// at does what is wrong at an address until the returned function is called.
		at   func(t *testing.T, address string) (end func())
		want string
	}{
		{"nothing listens", func(*testing.T, string) func() { return func() {} }, "connection refused"},
		{"no answer", blackHole, "no answer from"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newSceneWithClass(t, shared)
			address := net.JoinHostPort(newHost(), "6443")
			end := test.at(t, address)
			p := serve(t, kubeconfigOf(t, "http://"+address, nil, ""), s.flags()...)
			p.wantNamedSoon(t, "informers/services", test.want)
			end()
			startRelayAt(t, s.environment.Config, listen(t, address))
			p.wantReady(t)
		})
	}
}

// blackHole accepts connections, reads and never answers.
func blackHole(t *testing.T, address string) (end func()) {
	t.Helper()
	listener := listen(t, address)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		var connections []net.Conn
		for {
			connection, err := listener.Accept()
			if err != nil {
				break
			}
			connections = append(connections, connection)
		}
		for _, connection := range connections {
			_ = connection.Close()
		}
	}()
	return func() {
		_ = listener.Close()
		<-ended
	}
}

// A certificate that the kubeconfig's CA has not signed is named; once the
// server has the right one, the program becomes ready by itself.
func TestWrongCertificate(t *testing.T) {
	t.Parallel()
	s := newSceneWithClass(t, shared)
	right, wrong := newKeyPair(t, "kubernetes"), newKeyPair(t, "someone-else")
	repaired := make(chan struct{})
	listener := tls.NewListener(listen(t, "127.0.0.1:0"), &tls.Config{
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			select {
			case <-repaired:
				return right.tls(t), nil
			default:
				return wrong.tls(t), nil
			}
		},
	})
	startRelayAt(t, s.environment.Config, listener)
	p := serve(t, kubeconfigOf(t, "https://"+listener.Addr().String(), right.certificate, ""), s.flags()...)
	p.wantNamedSoon(t, "informers/namespaces", "x509: certificate signed by unknown authority")
	close(repaired)
	p.wantReady(t)
}

// Watches that are cut again and again are named. A first list that comes through
// nevertheless is one, so the start ends; without it, it stays red.
func TestWatchFlaps(t *testing.T) {
	t.Parallel()
	s := newSceneWithClass(t, shared)
	s.create(t, append(s.backend("app"), s.gateway("gw"), s.route("r", "gw", "app"))...)
	r := startRelay(t, s.environment.Config)
	r.set("services", cut)
	p := serve(t, r.kubeconfig(t), s.flags()...)
	p.wantNamedSoon(t, "[-]informers/services failed")
	r.set("services", cutWatches)
	p.until(t, "/readyz?verbose", "green with the flapping watch", func(code int, body string) bool {
		return code == http.StatusOK && hasLine(body, "informers/services", "stale since", "the API server ended the watch")
	})
	r.set("services", nil)
	p.until(t, "/readyz?verbose", "green without it", func(code int, body string) bool {
		return code == http.StatusOK && !strings.Contains(body, "stale")
	})
}

// A watch that begins to flap later is named as soon.
func TestWatchFlapsAfterStart(t *testing.T) {
	t.Parallel()
	s := newSceneWithClass(t, shared)
	s.create(t, append(s.backend("app"), s.gateway("gw"), s.route("r", "gw", "app"))...)
	r := startRelay(t, s.environment.Config)
	p := serve(t, r.kubeconfig(t), s.flags()...)
	p.wantReady(t)
	proxy := connect(t, p, "delta", ofGateway(s.group("gw")))
	proxy.until(t, "its route", s.serves("r", "app"))
	r.set("endpointslices", cut)
	r.end("endpointslices")
	began := time.Now()
	p.until(t, "/readyz?verbose", "green with the flapping watch", func(code int, body string) bool {
		return code == http.StatusOK && hasLine(body, "informers/endpointslices", "stale since")
	})
	if took := time.Since(began); took > soon {
		t.Errorf("the flapping watch was named after %v, want at most 1 s", took)
	}
	r.set("endpointslices", nil)
	p.until(t, "/readyz?verbose", "green without it", func(code int, body string) bool {
		return code == http.StatusOK && !strings.Contains(body, "stale")
	})
	s.create(t, append(s.backend("later"), s.route("r2", "gw", "later"))...)
	proxy.until(t, "a route that came later", s.serves("r2", "later"))
}

// What changed while a watch was away shows when it is back, what was created as
// well as what was deleted, whether the API server tells these changes or has
// forgotten them and all is listed again.
func TestMissedChanges(t *testing.T) {
	t.Parallel()
	for name, back := range map[string]filter{"told": nil, "forgotten": expired} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSceneWithClass(t, shared)
			s.create(t, append(s.backend("app"), s.gateway("gw"), s.route("r", "gw", "app"), s.route("old", "gw", "app"))...)
			s.create(t, s.backend("gone")...)
			s.create(t, s.route("to-gone", "gw", "gone"))
			r := startRelay(t, s.environment.Config)
			p := serve(t, r.kubeconfig(t), s.flags()...)
			p.wantReady(t)
			proxy := connect(t, p, "sotw", ofGateway(s.group("gw")))
			proxy.until(t, "its routes", func(v view) bool { return len(v.routes()) == 3 && s.serves("to-gone", "gone")(v) })
			resumed := make(chan struct{})
			for _, resource := range []string{"httproutes", "services", "endpointslices"} {
				r.pause(resource, resumed)
				r.set(resource, back)
				r.end(resource)
			}
			s.remove(t, s.slice("gone"), s.route("old", "gw", "app"))
			s.create(t, append(s.backend("new"), s.route("new", "gw", "new"))...)
			close(resumed)
			proxy.until(t, "what is new, without what is gone", func(v view) bool {
				return s.serves("new", "new")(v) && s.serves("r", "app")(v) &&
					v.routes()[pathOf("old")] == nil && len(v.endpoints(s.cluster("gone"))) == 0
			})
		})
	}
}

// A start that gets no answer can be ended.
func TestStartEnds(t *testing.T) {
	t.Parallel()
	address := net.JoinHostPort(newHost(), "6443")
	t.Cleanup(blackHole(t, address))
	p := serve(t, kubeconfigOf(t, "http://"+address, nil, ""))
	p.wantNamed(t, "no answer from")
	p.Terminate(t)
	p.WantExit(t)
}
