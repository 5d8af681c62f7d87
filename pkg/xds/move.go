package xds

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/xdsready/xdsready/pkg/xds/internal/moved"
)

// reason is why a proxy is moved to another replica, the value of a label.
type reason string

const (
	forDrain   reason = "drain"
	forAge     reason = "age"
	forBalance reason = "balance"
)

// texts are what a proxy is told.
var texts = map[reason]moved.Error{
	forDrain:   "draining: this replica ends, connect to another one",
	forAge:     "the connection has reached its age, connect again",
	forBalance: "this replica has more proxies than others, connect again",
}

// QuietWithin is how long a proxy that is to leave may take until it is not in the
// middle of a switch. So a drain takes DrainDelay + DrainWindow + QuietWithin at
// most.
const QuietWithin = 5 * time.Second

const (
	// lastWords is how long grpc, which queues a status when the handler returns,
	// and package admission, which closes the connection behind it, have before
	// the drain counts as done.
	lastWords = 100 * time.Millisecond
	// ageSpread is the part of MaxConnectionAge by which ages differ, so that
	// proxies that came together do not leave together.
	ageSpread = 0.2
)

// WithDrain returns a context that ends when this replica has handed over its
// proxies: the one line that a program's main needs for a restart that no proxy
// notices. When ctx ends,
//
//  1. the registry's /readyz is red at once, while streams are served and
//     admitted for Options.DrainDelay: balancers need that long to send no proxy
//     here (without a registry nobody is told, so nothing is waited for);
//  2. the gate shuts: new streams are refused;
//  3. the proxies leave over Options.DrainWindow, in random order at an even
//     rate, each when it is not in the middle of a switch, 5 s later at the
//     latest: its stream ends with UNAVAILABLE;
//  4. the returned context ends, with ctx's cause.
//
// Pass the returned context to everything that serves, Run, the registry's Start
// and the HTTP server of the probes included, and stop the grpc server with Stop
// when it ends. (GracefulStop never returns while a proxy keeps its stream.)
//
// A stream that ends on a connection that lives comes back to the same replica, so
// serve grpc on the Listener of package admission, which closes it.
//
// Call it once, instead of the registry's WithDrain. The returned context has
// ctx's values. ctx must end one day; a goroutine starts then, and lasts for the drain,
// or until Run has ended.
func (s *Server) WithDrain(ctx context.Context) context.Context {
	shut := s.registry.WithDrain(ctx, s.options.DrainDelay)
	drained, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	context.AfterFunc(shut, func() {
		s.drain()
		cancel(context.Cause(shut))
	})
	return drained
}

// drain makes every proxy leave, and returns when all have.
func (s *Server) drain() {
	empty := s.streams.drain()
	began, leaving := time.Now(), s.streams.connections()
	s.options.Logger.Info("proxies are handed over", "connections", len(leaving), "windowSeconds", s.options.DrainWindow.Seconds())
	for i, one := range leaving {
		turn := began.Add(s.options.DrainWindow * time.Duration(i) / time.Duration(len(leaving)))
		select {
		case <-time.After(time.Until(turn)):
			s.streams.ask(one, forDrain)
		case <-empty: // the others have left by themselves
		case <-s.stopped:
			return
		}
	}
	select {
	case <-empty:
	case <-s.stopped:
		return
	}
	select {
	case <-time.After(lastWords):
	case <-s.stopped:
	}
	s.options.Logger.Info("all proxies are handed over", "seconds", time.Since(began).Seconds())
}

// retire moves proxies that have reached MaxConnectionAge, until ctx ends.
func (s *Server) retire(ctx context.Context) {
	round := time.NewTicker(max(s.options.MaxConnectionAge/100, time.Millisecond))
	defer round.Stop()
	for {
		select {
		case now := <-round.C:
			for _, one := range s.streams.connections() {
				if one.expired(now) {
					s.streams.ask(one, forAge)
				}
			}
		case <-ctx.Done():
			return
		}
	}
}

// expired reports whether a stream of the connection has reached its age.
func (c connection) expired(now time.Time) bool {
	for _, one := range c {
		if now.After(one.expires) {
			return true
		}
	}
	return false
}

// expiry returns when a stream that is opened now has reached its age.
func (s *Server) expiry(now time.Time) time.Time {
	age := float64(s.options.MaxConnectionAge)
	return now.Add(time.Duration(age * (1 + ageSpread*(2*rand.Float64()-1)))) //nolint:gosec // no secret
}

// Connections returns how many connections have streams of proxies that were not
// asked to leave. A proxy has one, with whatever number of streams.
func (s *Server) Connections() int { return len(s.streams.connections()) }

// Shed moves n proxies to other replicas, chosen at random: each ends its streams
// when it is not in the middle of a switch, 5 s later at the latest, and connects
// again. It returns how many were asked, which is fewer where there are no more.
// It is for a replica that has more than its share; where the proxies go is up to
// their balancer, so do it slowly.
func (s *Server) Shed(n int) int {
	connections := s.streams.connections()
	n = max(0, min(n, len(connections)))
	for _, one := range connections[:n] {
		s.streams.ask(one, forBalance)
	}
	return n
}
