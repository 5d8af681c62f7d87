package xds_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/grpc/codes"

	"github.com/xdsready/xdsready/pkg/ready"
	"github.com/xdsready/xdsready/pkg/xds"
)

const (
	drainDelay  = 5 * time.Second
	drainWindow = 10 * time.Second
	// lastWords is how long the drain waits for the last status to leave.
	lastWords = 100 * time.Millisecond
)

// drainRig is a server that drains when stop is called, behind a registry that is
// ready.
type drainRig struct {
	*rig
	registry *ready.Registry
	stop     context.CancelCauseFunc
	drained  context.Context //nolint:containedctx // what is tested
}

func newDrainRig(t *testing.T) *drainRig {
	t.Helper()
	registry := ready.New("inputs")
	synced := registry.Tier("inputs").Signal("synced")
	d := &drainRig{registry: registry}
	d.rig = newServer(t, registry, xds.Options{DrainDelay: drainDelay, DrainWindow: drainWindow})
	d.set(t, xds.AllGroup, staticCluster("a"))
	var ctx context.Context
	ctx, d.stop = context.WithCancelCause(t.Context())
	d.drained = d.server.WithDrain(ctx)
	ended := make(chan error, 1)
	go func() { ended <- registry.Start(d.drained) }()
	t.Cleanup(func() {
		d.stop(nil)
		<-d.drained.Done()
		if err := <-ended; err != nil {
			t.Errorf("Start: %v", err)
		}
	})
	synced()
	synctest.Wait()
	if !registry.Ready() {
		t.Fatal("the registry is not ready")
	}
	return d
}

// inSync opens a stream of a proxy and gives it its config.
func (r *rig) inSync(t *testing.T) *sotwPipe {
	t.Helper()
	p := r.asks(t, resourcev3.ClusterType)
	send(t, p, ack(receive(t, p)))
	return p
}

// endsAfter checks that streams end, because of a drain, so long after a time.
func endsAfter(t *testing.T, from time.Time, streams []*sotwPipe, want ...time.Duration) {
	t.Helper()
	ended := make(chan time.Duration, len(streams))
	for _, p := range streams {
		go func() {
			<-p.ended
			ended <- time.Since(from)
		}()
	}
	var got []time.Duration
	for range streams {
		got = append(got, <-ended)
	}
	if !slices.Equal(got, want) {
		t.Errorf("streams end after %v, want %v", got, want)
	}
	for _, p := range streams {
		wantStatus(t, p.err, codes.Unavailable, "draining")
	}
}

// A drain is red at once and serves on; after the delay the gate is shut and the
// proxies leave one after the other, evenly.
func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDrainRig(t)
		var proxies []*sotwPipe
		for range 4 {
			proxies = append(proxies, d.inSync(t))
		}
		cause := errors.New("SIGTERM")
		stopped := time.Now()
		d.stop(cause)
		synctest.Wait()
		if d.registry.Ready() || !d.registry.Open() {
			t.Errorf("at once: ready %v, open %v; want red and open", d.registry.Ready(), d.registry.Open())
		}
		time.Sleep(drainDelay - 1)
		proxies = append(proxies, d.inSync(t))
		d.set(t, xds.AllGroup, staticCluster("b"))
		for _, p := range proxies {
			send(t, p, ack(receive(t, p)))
		}
		if !d.registry.Open() {
			t.Error("the gate is shut before the delay has passed")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if d.registry.Open() {
			t.Error("the gate is open after the delay")
		}
		endsAfter(t, stopped, proxies, drainDelay, drainDelay+2*time.Second, drainDelay+4*time.Second,
			drainDelay+6*time.Second, drainDelay+8*time.Second)
		<-d.drained.Done()
		if took, want := time.Since(stopped), drainDelay+8*time.Second+lastWords; took != want {
			t.Errorf("the drain took %v, want %v", took, want)
		}
		if got := context.Cause(d.drained); !errors.Is(got, cause) {
			t.Errorf("cause %v, want %v", got, cause)
		}
	})
}

// Which proxy leaves first is left to chance, so that many replicas that drain do
// not send the same ones about.
func TestDrainOrderIsRandom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		firsts := map[int]bool{}
		for range 40 { // all the same: once in 10^12 runs
			r := newServer(t, nil, xds.Options{DrainWindow: drainWindow})
			r.set(t, xds.AllGroup, staticCluster("a"))
			proxies := []*sotwPipe{r.inSync(t), r.inSync(t)}
			ctx, stop := context.WithCancel(t.Context())
			drained := r.server.WithDrain(ctx)
			stop()
			select {
			case <-proxies[0].ended:
				firsts[0] = true
			case <-proxies[1].ended:
				firsts[1] = true
			}
			<-drained.Done()
		}
		if len(firsts) != 2 {
			t.Error("the same proxy always leaves first")
		}
	})
}

// A proxy in the middle of a step leaves when that is done, or when it has taken
// too long.
func TestDrainWaitsForTheStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newServer(t, nil, xds.Options{})
		r.set(t, xds.AllGroup, staticCluster("a"))
		quick, slow := r.inSync(t), r.inSync(t)
		r.set(t, xds.AllGroup, staticCluster("b"))
		change := receive(t, quick)
		receive(t, slow)
		ctx, stop := context.WithCancel(t.Context())
		drained := r.server.WithDrain(ctx)
		stopped := time.Now()
		stop()
		quick.silent(t, time.Second)
		for _, p := range r.server.Proxies() {
			if p.Leaving != "drain" {
				t.Errorf("leaving %q, want drain", p.Leaving)
			}
		}
		send(t, quick, ack(change))
		<-quick.ended
		if took := time.Since(stopped); took != time.Second {
			t.Errorf("the stream ends %v after the drain began, want 1s: at its ACK", took)
		}
		endsAfter(t, stopped, []*sotwPipe{slow}, 5*time.Second)
		<-drained.Done()
	})
}

// Whoever has no config yet, or passed the gate just before it shut, leaves at once.
func TestDrainEndsWhoeverIsNotServed(t *testing.T) {
	for name, open := range map[string]func(*testing.T, *rig) *sotwPipe{
		"said nothing": func(t *testing.T, r *rig) *sotwPipe { t.Helper(); return r.sotwPipe(t, "") },
		"is of an unknown group": func(t *testing.T, r *rig) *sotwPipe {
			t.Helper()
			p := r.sotwPipe(t, "")
			send(t, p, &discovery.DiscoveryRequest{Node: node("1", "unknown"), TypeUrl: resourcev3.ClusterType})
			return p
		},
		"waits for its turn": func(t *testing.T, r *rig) *sotwPipe {
			t.Helper()
			r.asks(t, resourcev3.ClusterType)
			return r.asks(t, resourcev3.ClusterType)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newServer(t, nil, xds.Options{Group: byCluster, MaxInitialSyncs: 1})
				r.set(t, "", staticCluster("a"))
				p := open(t, r)
				ctx, stop := context.WithCancel(t.Context())
				drained := r.server.WithDrain(ctx)
				stopped := time.Now()
				stop()
				endsAfter(t, stopped, []*sotwPipe{p}, 0)
				endsAfter(t, stopped, []*sotwPipe{r.sotwPipe(t, "")}, 0)
				<-drained.Done()
			})
		})
	}
}

// A server without proxies, or whose Run has ended, is drained at once.
func TestNothingToDrain(t *testing.T) {
	for name, prepare := range map[string]func(*testing.T, *rig){
		"no proxies": func(*testing.T, *rig) {},
		"not run any more": func(t *testing.T, r *rig) {
			t.Helper()
			r.inSync(t)
			r.stop()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newServer(t, nil, xds.Options{DrainWindow: drainWindow})
				r.set(t, xds.AllGroup, staticCluster("a"))
				prepare(t, r)
				ctx, stop := context.WithCancel(t.Context())
				drained := r.server.WithDrain(ctx)
				stopped := time.Now()
				stop()
				<-drained.Done()
				if took := time.Since(stopped); took > lastWords {
					t.Errorf("the drain took %v", took)
				}
			})
		})
	}
}

// The streams of a proxy leave together, at the age of the first.
func TestStreamsOfAConnectionLeaveTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newServer(t, nil, xds.Options{MaxConnectionAge: time.Hour})
		r.set(t, xds.AllGroup, staticCluster("a"))
		open := func() *sotwPipe {
			return openPipeFrom[*discovery.DiscoveryRequest, *discovery.DiscoveryResponse](t, r, "proxy", resourcev3.ClusterType, false)
		}
		first := open()
		time.Sleep(47 * time.Minute)
		second := open()
		<-first.ended
		ended := time.Now()
		<-second.ended
		if apart := time.Since(ended); apart > 0 {
			t.Errorf("the second stream ends %v after the first", apart)
		}
		if got := r.server.Connections(); got != 0 {
			t.Errorf("%d connections, want none", got)
		}
	})
}

// Proxies that came together reach their age at different times, each within a
// fifth of what was asked for.
func TestMaxConnectionAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const proxies, age = 50, 30 * time.Minute
		r := newServer(t, nil, xds.Options{MaxConnectionAge: age})
		r.set(t, xds.AllGroup, staticCluster("a"))
		var ages []time.Duration
		came, ended := time.Now(), make(chan time.Duration, proxies)
		for range proxies {
			p := r.inSync(t)
			go func() {
				<-p.ended
				ended <- time.Since(came)
			}()
		}
		for range proxies {
			ages = append(ages, <-ended)
		}
		const round = age / 100
		if ages[0] < age*8/10 || ages[proxies-1] > age*12/10+round {
			t.Errorf("ages from %v to %v, want 24m to 36m", ages[0], ages[proxies-1])
		}
		if spread := ages[proxies-1] - ages[0]; spread < age*2/10 {
			t.Errorf("all leave within %v", spread)
		}
	})
}

// Shed moves as many proxies as it is told, and none twice.
func TestShed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newServer(t, nil, xds.Options{})
		r.set(t, xds.AllGroup, staticCluster("a"))
		for range 5 {
			r.inSync(t)
		}
		for _, step := range []struct{ n, want, left int }{{0, 0, 5}, {-1, 0, 5}, {2, 2, 3}, {4, 3, 0}, {1, 0, 0}} {
			if got := r.server.Shed(step.n); got != step.want {
				t.Errorf("Shed(%d) = %d, want %d", step.n, got, step.want)
			}
			if got := r.server.Connections(); got != step.left {
				t.Errorf("%d connections stay, want %d", got, step.left)
			}
		}
	})
}
