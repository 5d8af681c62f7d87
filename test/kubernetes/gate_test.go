package kubernetes

import (
	"testing"
	"time"
)

// slow is how late a resource is in a start.
const slow = 2 * time.Second

// slowStart starts the build that can be told so with one resource late, and
// connects a proxy as soon as it is let in.
func slowStart(t *testing.T, s *scene, flags ...string) (opened time.Duration, first *proxy) {
	t.Helper()
	flags = append(flags, "--test-input-delay", "services="+slow.String(), "--admission", "hold")
	p := start(t, ungatedCommand, s.kubeconfig(t), s.flags(flags...)...)
	first = connect(t, p, "delta", ofGateway(s.group("gw")))
	p.wantReady(t)
	opened = time.Since(p.answered)
	first.until(t, "its routes", func(v view) bool { return len(v.routes()) > 0 })
	return opened, first
}

// hasCluster reports whether a proxy that was sent the route has its cluster.
func (s *scene) hasCluster(x *proxy) bool { return x.now().clusters()[s.cluster("app")] != nil }

// A start with a slow input shows nothing before it is complete, and then all of
// it; without the gate, a proxy is sent a part.
func TestGateKeepsPartsBack(t *testing.T) {
	t.Parallel()
	s := newSceneWithClass(t, shared)
	s.create(t, append(s.backend("app"), s.gateway("gw"), s.route("r", "gw", "app"))...)
	t.Run("with the gate", func(t *testing.T) {
		t.Parallel()
		opened, proxy := slowStart(t, s)
		if opened < slow-time.Second {
			t.Errorf("ready after %v, though an input was delivered after %v", opened, slow)
		}
		if !s.hasCluster(proxy) {
			t.Errorf("the proxy was sent a part: %s", proxy.inventory())
		}
	})
	t.Run("without it", func(t *testing.T) {
		t.Parallel()
		opened, proxy := slowStart(t, s, "--test-no-gate")
		if opened > slow/2 {
			t.Errorf("without the gate ready after %v", opened)
		}
		if s.hasCluster(proxy) {
			t.Error("without the gate the proxy was sent the whole config: the test cannot see what the gate is for")
		}
	})
}
