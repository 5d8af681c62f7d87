package publish

import (
	"fmt"
	"maps"
	"strconv"
	"time"

	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"

	"github.com/xdsready/xdsready/pkg/cache"
)

const (
	// keepAfter is how long a switch waits for a cluster to become warm before
	// all goes on but the routes that need it.
	keepAfter = 20 * time.Second
	// switchAfter ends that wait too: a cluster that is still cold then, as one
	// whose health checks get no answer, is as warm as it will be.
	switchAfter = 2 * time.Minute
	// listen is how long the changes of a resumed stream wait for the rest of its
	// subscriptions. A proxy that reconnects sends all of them within a few
	// milliseconds and before any answer; only together do they tell what it holds.
	listen = 100 * time.Millisecond
	// catchUp is how long a proxy that came with a version of another replica is left
	// alone, for this one may lag and know it in a moment. To send what it has would
	// take the proxy back.
	catchUp = 3 * time.Second
	// recallWithin is how long it is left alone for others to be asked.
	recallWithin = 2 * time.Second
)

// Options are the settings of a [Proxy].
type Options struct {
	// Delta: the stream speaks the delta variant, not state of the world (SotW).
	Delta bool
	// Aggregated: the stream carries all types (ADS), so there is an order to keep.
	Aggregated bool
	// Strict: the proxy is a gRPC client. After a response of a type that it has not
	// asked for, grpc-go and gRPC's C core read nothing more from a stream, so its
	// greeting is an empty response of endpoints or route tables.
	Strict bool
	// Recall: somebody else may know a version that is not known here, as of
	// [Proxy.Lost].
	Recall bool
	// RemovalDelay is how long a cluster stays after nothing has been able to
	// choose it any more: for requests that a filter holds after their route was
	// chosen. Zero removes it at once.
	RemovalDelay time.Duration
	// ListenerDrain is how long connections live on a listener that was changed or
	// removed: the --drain-time-s of the proxies. The clusters that only such a
	// listener named stay that long.
	ListenerDrain time.Duration
	// MaxRemovals is how many percent of the resources of a type a proxy may lose
	// at once. The removal of more is held for HoldRemovals, as guard.go says.
	// Zero: nothing is held.
	MaxRemovals  int
	HoldRemovals time.Duration
}

// order is the order in which types are looked at for something to send.
var order = []string{
	resourcev3.ClusterType,
	resourcev3.EndpointType,
	resourcev3.SecretType,
	resourcev3.RuntimeType,
	resourcev3.ExtensionConfigType,
	resourcev3.ListenerType,
	resourcev3.ScopedRouteType,
	resourcev3.RouteType,
	resourcev3.VirtualHostType,
}

// Proxy is the state of one xDS stream: what the proxy at its other end holds,
// and what it is to hold. It is not safe for concurrent use.
type Proxy struct {
	options Options
	target  *Target
	subs    map[string]*subscription // by type URL
	nonce   uint64                   // of the last response, of whatever type

	since   time.Time // the stream's first request; zero: none yet
	resumed bool      // the proxy brought config along
	loaded  bool      // it has asked for listeners: a CDS ACK means warm now
	sent    bool      // something was sent on the stream
	fed     bool      // see feed
	wake    time.Time // when Next may have something without an event; zero: never

	cold     map[string]*warming  // clusters that were sent and are not known warm
	allCold  uint64               // so are all of this CDS response; zero: of none
	reached  map[string]bool      // clusters that may be chosen, while removals are considered; nil: not looked up
	leaving  map[string]time.Time // clusters to be removed → unused since; zero: in use
	replaced map[string]replaced  // listeners whose old filter chain serves
	draining map[string]time.Time // clusters that a replaced listener named → how long
	drainAll time.Time            // so may one have that is not known → how long
	events   []Event
}

// New returns the state of a stream that has just been opened, whose proxy is to
// have the target.
func New(target *Target, o Options) *Proxy {
	return &Proxy{
		options: o, target: target, subs: map[string]*subscription{},
		cold: map[string]*warming{}, leaving: map[string]time.Time{}, replaced: map[string]replaced{}, draining: map[string]time.Time{},
	}
}

// SetTarget says that the proxy is to have another config from now on.
func (p *Proxy) SetTarget(target *Target) {
	p.target = target
	for _, s := range p.subs {
		p.recognize(s)
		p.rebase(s)
	}
	for name := range p.leaving {
		if _, ok := target.resource(resourcev3.ClusterType, name); ok {
			delete(p.leaving, name)
		}
	}
}

func (p *Proxy) rebase(s *subscription) {
	if s.fresh {
		return
	}
	s.judged, s.shrunk = false, s.shrunk || p.shrinks(s.typeURL, s.view.base)
	s.view.rebase(s.typeURL, p.target.snapshot, s.asks)
	maps.DeleteFunc(s.holds, func(name string, h *hold) bool {
		_, differs := s.view.except[name]
		_, wanted := p.target.resource(s.typeURL, name)
		return !differs || !wanted || h.block.on == "" // it waits for clusters unnamed, which may be others now
	})
	p.withdraw(s)
}

// Next returns the next response to send, and false if there is none before the
// next event or [Proxy.Deadline]. It takes for granted that the response is sent.
func (p *Proxy) Next(now time.Time) (Response, bool) {
	p.wake = time.Time{}
	p.endRecall(now)
	p.guard(now)
	p.feed(now)
	for _, typeURL := range order {
		s := p.subs[typeURL]
		if s == nil {
			continue
		}
		if r, ok := p.next(s, now); ok {
			p.speak(ResumedChanged)
			return r, true
		}
	}
	return p.greet(now)
}

// feed sends endpoints and secrets once more to a proxy that reconnected while a
// cluster was warming, which may have lost them with the stream. Such a proxy asks
// for clusters only when that one is warm: its silence is all that tells. (On its
// first load it asks for them at once. Then it serves nothing yet, and waits for
// what it lost until its own init_fetch_timeout.)
func (p *Proxy) feed(now time.Time) {
	silent := p.resumed && p.subs[resourcev3.ClusterType] == nil && p.subs[resourcev3.EndpointType] != nil
	if p.fed || p.options.Strict || !p.options.Aggregated || !silent {
		return
	}
	if p.due(p.since.Add(listen), now) {
		p.fed = true
		p.again(p.subs[resourcev3.EndpointType])
		if s := p.subs[resourcev3.SecretType]; s != nil {
			p.again(s)
		}
	}
}

// next returns the next response of a type.
func (p *Proxy) next(s *subscription, now time.Time) (Response, bool) {
	if s.fresh {
		return p.first(s, now)
	}
	if c := p.change(s, now); !c.empty() {
		if r, ok := p.send(s, c, now); ok {
			return r, true
		}
	}
	return p.heartbeat(s, now)
}

// Deadline returns when Next may have something to send although nothing
// happened, and the zero time if it will not. It holds since the last Next that
// returned nothing.
func (p *Proxy) Deadline() time.Time { return p.wake }

// at makes Next be called again at t.
func (p *Proxy) at(t time.Time) {
	if p.wake.IsZero() || t.Before(p.wake) {
		p.wake = t
	}
}

// due reports whether t has come; if not, Next will be called again then.
func (p *Proxy) due(t, now time.Time) bool {
	if now.Before(t) {
		p.at(t)
		return false
	}
	return true
}

// nextNonce returns the nonce of a new response. Nonces count the responses of
// the stream, so one that was never sent is recognized.
func (p *Proxy) nextNonce() uint64 {
	p.nonce++
	return p.nonce
}

// parseNonce returns the number of a nonce, 0 for none, and an error for one that
// was not sent on this stream.
func (p *Proxy) parseNonce(nonce string) (uint64, error) {
	if nonce == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(nonce, 10, 64)
	if err != nil || n == 0 || n > p.nonce {
		return 0, fmt.Errorf("response_nonce %.40q was never sent on this stream: send the one of the response that is answered, and none in a stream's first request of a type", nonce)
	}
	return n, nil
}

// greet returns the one empty response of a stream on which nothing needs to be
// sent: Envoy resets the back-off of its reconnects only when it receives
// something. It is chosen so that no update is counted: of endpoints in delta,
// and in SotW of a type that the proxy has not asked for.
func (p *Proxy) greet(now time.Time) (Response, bool) {
	if p.sent || p.since.IsZero() || !p.due(p.since.Add(listen), now) {
		return Response{}, false
	}
	typeURL := p.greeting()
	if typeURL == "" {
		return Response{}, false
	}
	p.speak(ResumedCurrent)
	return Response{TypeURL: typeURL, Nonce: strconv.FormatUint(p.nextNonce(), 10), Greeting: true}, true
}

// speak notes that something is sent, and what that says of a resumed stream.
func (p *Proxy) speak(result string) {
	if p.resumed && !p.sent {
		for _, s := range p.subs {
			if s.unknown {
				result = ResumedUnknown
			}
		}
		p.note(Event{Kind: Resumed, Result: result})
	}
	p.sent = true
}

func (p *Proxy) greeting() string {
	switch {
	case p.options.Strict:
		for _, typeURL := range []string{resourcev3.EndpointType, resourcev3.RouteType} {
			if p.subs[typeURL] != nil {
				return typeURL
			}
		}
	case p.options.Delta && !p.options.Aggregated:
		for typeURL := range p.subs {
			return typeURL
		}
	case p.options.Delta:
		return resourcev3.EndpointType
	case p.options.Aggregated:
		for _, typeURL := range []string{resourcev3.SecretType, resourcev3.ExtensionConfigType, resourcev3.RuntimeType} {
			if p.subs[typeURL] == nil {
				return typeURL
			}
		}
	}
	return "" // an empty SotW response of its own type would empty the proxy
}

// heartbeat repeats the resources that have a TTL in time.
func (p *Proxy) heartbeat(s *subscription, now time.Time) (Response, bool) {
	interval := p.target.heartbeatInterval(s.typeURL)
	if interval == 0 {
		return Response{}, false
	}
	if !p.due(s.spoken.Add(interval), now) {
		return Response{}, false
	}
	var alive []cache.Resource
	for _, r := range p.target.heartbeats[s.typeURL] {
		if s.asks(r.Name()) && s.view.entry(s.typeURL, r.Name()).is(r, true) {
			alive = append(alive, r)
		}
	}
	s.spoken = now
	if len(alive) == 0 {
		p.at(now.Add(interval))
		return Response{}, false
	}
	r := p.response(s, nil)
	r.Heartbeats = alive
	s.flights = append(s.flights, flight{nonce: s.nonce, version: r.Version, before: map[string]entry{}, sent: map[string]cache.Resource{}})
	return r, true
}
