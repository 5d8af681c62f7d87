package envoy

import (
	"maps"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// guardFlags hold the loss of more than 30 % for 3 s. Nothing else delays a removal.
var guardFlags = []string{"--max-removals", "30", "--hold-removals", "3s", "--removal-delay", "1ms"}

// guardHold is --hold-removals.
const guardHold = 3 * time.Second

// crowd is a config directory with five clusters besides the one that is in use.
func crowd(backend string) map[string]string {
	files := whole(backend)
	files["clusters.yaml"] = clusters("backend", "c1", "c2", "c3", "c4", "c5")
	return files
}

// names returns the clusters that Envoy has from the control plane, sorted.
func (p *proxy) names() []string {
	_, body := get("http://" + p.admin + "/clusters")
	found := map[string]bool{}
	for line := range strings.Lines(body) {
		if name, _, ok := strings.Cut(line, "::"); ok && (name == "backend" || strings.HasPrefix(name, "c")) {
			found[name] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

func (p *proxy) hasClusters(n int) func() bool { return func() bool { return len(p.names()) == n } }

// holds reports whether `xdsready status` says that clusters are held.
func (c *command) holds(t *testing.T) bool {
	t.Helper()
	out, err := exec.Command(commandPath, "status", "--http-address", c.http, "--admin-address", c.admin).Output()
	if err != nil {
		t.Fatalf("xdsready status: %v", err)
	}
	return strings.Contains(string(out), "the removal of 5 clusters")
}

// startCrowd starts a control plane with a crowd, and an Envoy that has it.
func startCrowd(t *testing.T, transport string, flags ...string) (*command, *proxy) {
	t.Helper()
	c := startServe(t, crowd(startBackend(t)), flags...)
	envoy := startEnvoy(t, bootstrap(t, "--xds-address", c.xds, "--transport", transport), "all")
	eventually(t, "traffic through Envoy", envoy.serves)
	eventually(t, "all clusters", envoy.hasClusters(6))
	eventually(t, "the proxy's ACKs", func() bool { return c.says("/metrics", `xdsready_streams{state="converged"} 1`) })
	return c, envoy
}

// A directory that loses most of its clusters: Envoy keeps them for the hold,
// `xdsready status` and the metrics say so, then they go; the one in use serves on.
func TestALargeLossIsHeld(t *testing.T) {
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			c, envoy := startCrowd(t, transport, guardFlags...)
			stop := steadyTraffic(t, envoy)
			c.write(t, "clusters.yaml", clusters("backend"))
			began := time.Now()
			eventually(t, "the hold in the metrics", func() bool { return c.says("/metrics", `xdsready_removal_holds_total{type="cluster"} 1`) })
			if !c.holds(t) {
				t.Error("xdsready status does not say what is held")
			}
			eventually(t, "the removal", envoy.hasClusters(1))
			if took := time.Since(began); took < guardHold {
				t.Errorf("they are removed after %v, before the hold ends", took)
			}
			eventually(t, "the end of the hold", func() bool { return c.says("/metrics", "xdsready_removals_held 0") && !c.holds(t) })
			if n := strings.Count(c.output(), "it is held, here and for other proxies"); n == 0 {
				t.Error("the log does not tell of the hold")
			}
			if requests, failed := stop(); failed > 0 || requests == 0 {
				t.Errorf("%d of %d requests failed", failed, requests)
			}
		})
	}
}

// With the files back in time nothing was ever removed.
func TestALossThatIsBackInTime(t *testing.T) {
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			c, envoy := startCrowd(t, transport, guardFlags...)
			c.write(t, "clusters.yaml", clusters("backend"))
			eventually(t, "the hold", func() bool { return c.holds(t) })
			c.write(t, "clusters.yaml", clusters("backend", "c1", "c2", "c3", "c4", "c5"))
			eventually(t, "the end of the hold", func() bool { return c.says("/metrics", "xdsready_removals_held 0") })
			never(t, "a cluster is removed", guardHold+time.Second, func() bool {
				removed := envoy.stat("cluster_manager.cluster_removed")
				return removed != "" && removed != "0"
			})
			if !envoy.hasClusters(6)() {
				t.Errorf("Envoy has the clusters %q, want all six", envoy.names())
			}
		})
	}
}

// Without the flag the same loss takes effect at once.
func TestALossWithoutAGuard(t *testing.T) {
	t.Parallel()
	c, envoy := startCrowd(t, "delta", "--removal-delay", "1ms")
	c.write(t, "clusters.yaml", clusters("backend"))
	if took := eventually(t, "the removal", envoy.hasClusters(1)); took >= guardHold {
		t.Errorf("it took %v", took)
	}
	if !c.says("/metrics", `xdsready_removal_holds_total{type="cluster"} 0`) {
		t.Error("a hold is counted")
	}
}

// A delta Envoy comes to another replica, which knows only a part: it keeps for the
// hold what it had.
func TestAReplicaThatKnowsAPart(t *testing.T) {
	t.Parallel()
	backend := startBackend(t)
	full := startServe(t, crowd(backend))
	part := startServe(t, whole(backend), guardFlags...)
	balancer := startBalancer(t, full.xds, part.xds)
	envoy := startEnvoy(t, bootstrap(t, "--xds-address", balancer.address), "all")
	eventually(t, "traffic through Envoy", envoy.serves)
	eventually(t, "all clusters", envoy.hasClusters(6))
	stop := steadyTraffic(t, envoy)

	began := time.Now()
	full.stop(t, syscall.SIGKILL)
	eventually(t, "the hold", func() bool { return part.holds(t) })
	eventually(t, "the removal", envoy.hasClusters(1))
	if took := time.Since(began); took < guardHold {
		t.Errorf("they are removed %v after the first replica's end, before the hold ends", took)
	}
	if requests, failed := stop(); failed > 0 || requests == 0 {
		t.Errorf("%d of %d requests failed", failed, requests)
	}
}
