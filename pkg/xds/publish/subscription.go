package publish

import (
	"slices"
	"time"

	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"

	"github.com/xdsready/xdsready/pkg/cache"
)

// subscription is one type on a stream: what the proxy asks for, what it holds,
// and which responses it has not answered.
type subscription struct {
	typeURL  string
	wildcard bool   // it asks for all resources of the type
	named    bool   // SotW: it has given names, so that none now means none
	names    *Names // it asks for these too

	fresh   bool                   // nothing was sent yet, and nothing that it holds is known
	unknown bool                   // while fresh: it does hold something
	claim   string                 // SotW: the version that the proxy came with
	lost    []cache.Version        // what of it is not known here, and somebody else may know
	vain    map[cache.Version]bool // what nobody else knew
	view    view

	flights []flight  // responses without an answer, oldest first
	nonce   uint64    // of the last response
	settled uint64    // of the last response that was answered
	spoken  time.Time // when the resources with a TTL were last said to live

	force    map[string]bool      // to be sent again although the proxy holds it
	missing  []string             // asked for and absent: the proxy has to be told
	strange  bool                 // the proxy came with clusters that are not known here
	sweep    time.Time            // when these go; zero: there are none, or they have gone
	holds    map[string]*hold     // switches that wait
	rejected map[string]rejection // by name
	suspects [][]string           // parts of a rejected response, sent one by one

	judged bool                 // the guard has looked at what the proxy would lose
	shrunk bool                 // the group has lost much since it did
	kept   map[string]time.Time // what is lost and held → until when; zero: it has been

	version string    // that the proxy acknowledged last
	updated time.Time // when that was
}

// flight is a response that was sent and not answered.
type flight struct {
	nonce   uint64
	version string
	whole   *cache.Snapshot  // the first response of a stream: all of the names
	of      *Names           // nil: any
	before  map[string]entry // what was held under the names that it changed
	sent    map[string]cache.Resource
	maybe   []entry // what else it may hold, until this is answered
	part    bool    // it holds suspects
}

// has reports whether the flight carried a resource of that name.
func (f *flight) has(s *subscription, name string) (cache.Resource, bool) {
	if r, ok := f.sent[name]; ok {
		return r, true
	}
	if f.of != nil && !f.of.Has(name) {
		return cache.Resource{}, false
	}
	return f.whole.Resource(s.typeURL, name)
}

// asks reports whether the proxy asks for a name.
func (s *subscription) asks(name string) bool { return s.wildcard || s.names.Has(name) }

// Request is a message from the proxy: a DiscoveryRequest or a
// DeltaDiscoveryRequest.
type Request struct {
	TypeURL string
	Nonce   string
	Error   string // error_detail's message
	NACK    bool   // there is an error_detail

	// Names are resource_names (SotW, without "*") or resource_names_subscribe (delta).
	Names *Names

	// SotW.
	Version  string
	Wildcard bool // "*" is among the names

	// Delta.
	Subscribe, Unsubscribe []string
	Initial                map[string]string // initial_resource_versions
}

// wildcardName in a request asks for all resources of the type.
const wildcardName = "*"

// Request works in a message. The error says how it breaks the protocol; then
// nothing has changed.
func (p *Proxy) Request(r Request, now time.Time) error {
	nonce, err := p.parseNonce(r.Nonce)
	if err != nil {
		return err
	}
	if p.since.IsZero() {
		p.since = now
	}
	s := p.subs[r.TypeURL]
	switch {
	case s == nil && nonce != 0:
		return nil // the answer to a greeting, from a proxy that never asked for the type
	case s == nil:
		p.subscribe(r, now)
	default:
		answers := p.settle(s, nonce, r, now)
		if p.options.Delta {
			p.askDelta(s, r)
		} else {
			p.askSotW(s, nonce, r, answers)
		}
	}
	return nil
}

// subscribe works in the first request of a type.
func (p *Proxy) subscribe(r Request, now time.Time) {
	s := &subscription{typeURL: r.TypeURL, fresh: true}
	p.subs[r.TypeURL] = s
	if p.options.Delta {
		// No names at all are the older way to ask for everything.
		s.wildcard = len(r.Subscribe) == 0 || slices.Contains(r.Subscribe, wildcardName)
		s.names = r.Names.minus([]string{wildcardName})
		p.resumeDelta(s, r.Initial, now)
	} else {
		s.named = len(r.Names.All()) > 0 || r.Wildcard
		s.wildcard, s.names = r.Wildcard || !s.named, r.Names
		p.resumeSotW(s, r.Version, now)
	}
	switch r.TypeURL {
	case resourcev3.ListenerType:
		p.loaded = true
		if c := p.subs[resourcev3.ClusterType]; c != nil {
			p.warmUntil(c.settled) // Envoy asks for listeners when no cluster is warming
		}
	case resourcev3.ClusterType:
		if !s.fresh || s.unknown {
			p.drainEarlier(now)
		}
	}
}

func isWildcard(name string) bool { return name == wildcardName }

// askDelta works in the changes of a delta subscription. They count in every
// message, whatever it answers.
func (p *Proxy) askDelta(s *subscription, r Request) {
	if slices.Contains(r.Unsubscribe, wildcardName) {
		s.wildcard = false
	}
	s.names = s.names.minus(slices.DeleteFunc(slices.Clone(r.Unsubscribe), isWildcard))
	s.drop()
	widened := slices.Contains(r.Subscribe, wildcardName) && !s.wildcard
	names := slices.DeleteFunc(slices.Clone(r.Subscribe), isWildcard)
	if !widened && len(names) == 0 {
		return
	}
	s.names = s.names.plus(names)
	if widened {
		for _, resource := range p.target.snapshot.Resources(s.typeURL) {
			if !s.asks(resource.Name()) {
				names = append(names, resource.Name())
			}
		}
		s.wildcard = true
	}
	p.ask(s, names)
}

// askSotW works in the names of a SotW request, which are all the proxy wants.
// answers: the request answers a response.
func (p *Proxy) askSotW(s *subscription, nonce uint64, r Request, answers bool) {
	if nonce != 0 && nonce != s.nonce {
		s.narrow(r.Names)
		return
	}
	s.named = s.named || len(r.Names.All()) > 0 || r.Wildcard
	wildcard := r.Wildcard || !s.named
	if wildcard == s.wildcard && (r.Names == s.names || slices.Equal(r.Names.All(), s.names.All())) {
		if nonce != 0 && !answers {
			p.again(s)
		}
		return
	}
	before, covered := s.names, s.wildcard
	s.names, s.wildcard = r.Names, wildcard
	s.drop()
	var added []string
	for _, name := range s.names.All() {
		if !covered && !before.Has(name) {
			added = append(added, name)
		}
	}
	if wildcard && !covered {
		for _, resource := range p.target.snapshot.Resources(s.typeURL) {
			added = append(added, resource.Name())
		}
	}
	p.ask(s, added)
}

// narrow works in a stale SotW request, one that was sent before our last response
// arrived. It is not answered, for the proxy repeats it with the nonce of that. But
// what it no longer asks for it has dropped, and will need if it asks again.
func (s *subscription) narrow(names *Names) {
	if s.wildcard {
		return
	}
	s.names = s.names.minus(slices.DeleteFunc(slices.Clone(s.names.All()), names.Has))
	s.drop()
}

// again answers a SotW request that repeats the one before without being the
// answer to a response: a cluster warms again and needs its endpoints.
func (p *Proxy) again(s *subscription) {
	for _, r := range p.target.snapshot.Resources(s.typeURL) {
		if s.asks(r.Name()) {
			s.resend(r.Name())
		}
	}
}

// resend makes a resource be sent although the proxy holds it.
func (s *subscription) resend(name string) {
	if s.force == nil {
		s.force = map[string]bool{}
	}
	s.force[name] = true
}

// ask notes that these names are to be sent, whether the proxy has held them or not.
func (p *Proxy) ask(s *subscription, names []string) {
	if s.fresh {
		return // all that it asks for will be sent
	}
	for _, name := range names {
		if name == "" {
			continue
		}
		s.view.set(s.typeURL, name, s.onItsWay(name))
		delete(s.kept, name)
		if _, ok := p.target.resource(s.typeURL, name); !ok {
			s.missing = append(s.missing, name)
		}
	}
}

// onItsWay returns what a proxy may hold under a name that it asks for again: it
// drops that, unless it asks again before it reads an earlier answer.
func (s *subscription) onItsWay(name string) entry {
	for i := range slices.Backward(s.flights) {
		if r, ok := s.flights[i].has(s, name); ok {
			return entry{resource: r, unknown: true}
		}
	}
	return entry{}
}

// drop forgets what is held under names that the proxy asks for no longer: it
// has dropped that itself.
func (s *subscription) drop() {
	if s.wildcard {
		return
	}
	for name := range s.view.except {
		if !s.names.Has(name) {
			delete(s.view.except, name)
			delete(s.kept, name)
		}
	}
	for name := range s.holds {
		if !s.names.Has(name) {
			delete(s.holds, name)
		}
	}
	for i := range s.flights {
		for name := range s.flights[i].before {
			if !s.names.Has(name) {
				s.flights[i].before[name] = entry{}
			}
		}
	}
}
