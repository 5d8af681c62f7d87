package publish

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/xdsready/xdsready/pkg/cache"
)

// The guard holds a large loss back for a while: an input that vanished by
// mistake, or a replica that knows only a part, looks like config that wants much
// removed. If it is back in time, no proxy has lost anything.
//
// A proxy loses what it holds and the target has not. What became empty counts
// as well, a load assignment or route table of nothing but its name: that is how
// Build says that it is absent, and how a source says that it has no endpoints.
// A loss is large if it is more than MaxRemovals percent of what the proxy holds
// of the type, or if the group has lost that much since the proxy's last target.
//
// Each lost resource is held once, from when the guard noticed it, whatever is
// lost later: so the hold ends. On a new stream it begins anew, as does the
// removal delay, and of a SotW proxy with a version that is not known here nothing
// can be held. All else goes on: additions, changes, the switch to other clusters.
// Nor does the order of removals change: what something held refers to stays.

// fewest is how many resources a large loss has at least: to remove one is an edit,
// whatever part of a small config that is.
const fewest = 2

// guard decides what is held, of a type again when the target has changed, and
// ends the holds whose time has come.
func (p *Proxy) guard(now time.Time) {
	if p.options.MaxRemovals == 0 {
		return
	}
	for _, typeURL := range order {
		s := p.subs[typeURL]
		if s == nil || s.fresh {
			continue
		}
		if !s.judged {
			p.judge(s, now)
		}
		for name := range s.kept {
			if s.keeps(name) && p.due(s.kept[name], now) {
				s.release(name)
			}
		}
	}
}

// judge decides whether what the proxy would lose of a type is held.
func (p *Proxy) judge(s *subscription, now time.Time) {
	lost, shrunk := p.lost(s), s.shrunk
	s.judged, s.shrunk = true, false
	maps.DeleteFunc(s.kept, func(name string, _ time.Time) bool { return !lost[name] })
	var newly []string
	going := 0 // at once, or when their time is over
	for name := range lost {
		until, known := s.kept[name]
		if !known {
			newly = append(newly, name)
		}
		if !known || now.Before(until) {
			going++
		}
	}
	if len(newly) == 0 {
		return
	}
	if of := p.count(s); shrunk || p.large(going, of) {
		p.keep(s, newly, of, now)
	}
}

// keep begins the hold of these names, of so many that the proxy holds.
func (p *Proxy) keep(s *subscription, names []string, of int, now time.Time) {
	if s.kept == nil {
		s.kept = map[string]time.Time{}
	}
	for _, name := range names {
		s.kept[name] = now.Add(p.options.HoldRemovals)
	}
	slices.Sort(names)
	p.note(Event{
		Kind: RemovalsHeld, TypeURL: s.typeURL, Names: names[:min(len(names), 3)],
		Message: fmt.Sprintf("%d of %d", len(names), of),
	})
}

// large reports whether the loss of so many resources is one to hold.
func (p *Proxy) large(lost, of int) bool {
	return lost >= fewest && 100*lost > p.options.MaxRemovals*of
}

// lost returns the names of the resources that the proxy holds and is to lose.
func (p *Proxy) lost(s *subscription) map[string]bool {
	lost := map[string]bool{}
	for name, e := range s.view.except {
		r, wanted := p.target.resource(s.typeURL, name)
		switch {
		case e.absent() || wanted && !emptied(e.resource, r):
		case !wanted && s.typeURL == resourcev3.RouteType && !s.wildcard: // it is never removed
		default:
			lost[name] = true
		}
	}
	if s.typeURL == resourcev3.ListenerType && len(lost) > 0 {
		p.leaveReplaced(s, lost)
	}
	return lost
}

// leaveReplaced takes the listeners out of the lost ones whose address another
// one is to have: that can be added only when they have gone.
func (p *Proxy) leaveReplaced(s *subscription, lost map[string]bool) {
	taken := map[string]bool{}
	for name := range s.view.except {
		r, _ := p.target.resource(s.typeURL, name)
		for _, address := range addresses(r) {
			taken[address] = true
		}
	}
	maps.DeleteFunc(lost, func(name string, _ bool) bool {
		return slices.ContainsFunc(addresses(s.view.except[name].resource), func(address string) bool { return taken[address] })
	})
}

// addresses returns where a listener listens, encoded; none for the zero resource.
func addresses(r cache.Resource) (all []string) {
	l, ok := r.Message().(*listenerv3.Listener)
	if !ok {
		return nil
	}
	encode := func(m proto.Message) {
		if b, err := (proto.MarshalOptions{Deterministic: true}).Marshal(m); err == nil && len(b) > 0 {
			all = append(all, string(b))
		}
	}
	encode(l.GetAddress())
	for _, additional := range l.GetAdditionalAddresses() {
		encode(additional.GetAddress())
	}
	return all
}

// emptied reports whether next has nothing in it, and what it replaces may have:
// that is the zero resource if it is not known.
func emptied(before, next cache.Resource) bool { return bare(next) && !bare(before) }

// bare reports whether r is a load assignment or route table of nothing but its
// name, which is the first field of both.
func bare(r cache.Resource) bool {
	switch r.TypeURL() {
	case resourcev3.EndpointType, resourcev3.RouteType:
		return len(r.Encoded()) == protowire.SizeTag(1)+protowire.SizeBytes(len(r.Name()))
	}
	return false
}

// count returns how many resources of a type the proxy holds.
func (p *Proxy) count(s *subscription) int {
	n := 0
	if !s.wildcard {
		for _, name := range s.names.All() {
			if !s.view.entry(s.typeURL, name).absent() {
				n++
			}
		}
		return n
	}
	for name, e := range s.view.except {
		switch _, wanted := p.target.resource(s.typeURL, name); {
		case wanted && e.absent():
			n--
		case !wanted && !e.absent():
			n++
		}
	}
	return n + len(p.target.snapshot.Resources(s.typeURL))
}

// shrinks reports whether the group has lost much of a type since the snapshot
// before. It is for proxies that ask for a few names only, of which percents say
// nothing.
func (p *Proxy) shrinks(typeURL string, before *cache.Snapshot) bool {
	if p.options.MaxRemovals == 0 || before == p.target.snapshot {
		return false
	}
	for _, c := range p.target.snapshot.Since(before) {
		if c.TypeURL != typeURL {
			continue
		}
		lost := len(c.Removed)
		for _, name := range c.Changed {
			last, _ := before.Resource(typeURL, name)
			if next, _ := p.target.resource(typeURL, name); emptied(last, next) {
				lost++
			}
		}
		return p.large(lost, len(before.Resources(typeURL)))
	}
	return false
}

// keeps reports whether the guard holds what the proxy has under a name.
func (s *subscription) keeps(name string) bool { return !s.kept[name].IsZero() }

// mayNeed reports whether a resource that the guard holds, or has held until it
// goes, may refer to anything, for nothing is known of it.
func (s *subscription) mayNeed(name string, e entry) bool {
	_, held := s.kept[name]
	return held && !e.known()
}

// awaitsRest reports whether a removal waits for the rest of a resumed proxy's
// subscriptions, which tell what else is held and may need it.
func (p *Proxy) awaitsRest(now time.Time) bool {
	return p.options.MaxRemovals > 0 && p.resumed && !p.due(p.since.Add(listen), now)
}

// release ends the hold of a name, and remembers that there was one.
func (s *subscription) release(name string) {
	if s.keeps(name) {
		s.kept[name] = time.Time{}
	}
}

// repeat returns what is held under a name, for a cluster that warms and needs
// its endpoints now. Of what is not known it must have the target's.
func (s *subscription) repeat(name string) (cache.Resource, bool) {
	e := s.view.except[name]
	if !s.keeps(name) {
		return cache.Resource{}, false
	}
	if !e.known() {
		s.release(name)
	}
	return e.resource, e.known()
}

// RemovalsHeld returns of how many resources the guard holds the removal.
func (p *Proxy) RemovalsHeld() int {
	n := 0
	for _, s := range p.subs {
		for name := range s.kept {
			if s.keeps(name) {
				n++
			}
		}
	}
	return n
}

// removalsWait says in words what the guard holds, and until when.
func (p *Proxy) removalsWait() string {
	var kinds []string
	var last time.Time
	for _, typeURL := range slices.Sorted(maps.Keys(p.subs)) {
		n := 0
		for _, until := range p.subs[typeURL].kept {
			if !until.IsZero() {
				n++
			}
			if until.After(last) {
				last = until
			}
		}
		switch {
		case n == 1:
			kinds = append(kinds, "1 "+cache.Kind(typeURL))
		case n > 1:
			kinds = append(kinds, fmt.Sprintf("%d %ss", n, cache.Kind(typeURL)))
		}
	}
	if len(kinds) == 0 {
		return ""
	}
	return "the removal of " + strings.Join(kinds, ", ") + " is held until " + last.UTC().Format(time.RFC3339)
}

// Waits says in words what the next switch waits for, and which removals are
// held; empty: nothing waits.
func (p *Proxy) Waits() string {
	a, b := p.switchWaits(), p.removalsWait()
	if a != "" && b != "" {
		return a + "; " + b
	}
	return cmp.Or(a, b)
}
