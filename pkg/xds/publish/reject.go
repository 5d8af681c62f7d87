package publish

import (
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"

	"github.com/xdsready/xdsready/pkg/cache"
)

// Rejected content is offered again after a minute, and then after twice as long
// each time: a port that was in use may be free by then.
const (
	offerFirst = time.Minute
	offerMax   = 15 * time.Minute
)

// rejection is content that the proxy has refused.
type rejection struct {
	version cache.Version
	message string
	at      time.Time
	pause   time.Duration
}

// reject works in a NACK. Envoy applies the other resources of a rejected
// response, names the bad ones for clusters, listeners and route tables, and
// does not for endpoints; then they are found by sending smaller parts.
func (p *Proxy) reject(s *subscription, f flight, message string, now time.Time) {
	names := f.names(s)
	// It may blame what was rejected before and repeated since.
	bad := blamed(message, NewNames(slices.Concat(names, slices.Collect(maps.Keys(s.rejected)), s.view.names())).All())
	if len(bad) == 0 && len(names) == 1 {
		bad = names
	}
	if len(bad) == 0 {
		p.suspect(s, f, names)
		return
	}
	for _, name := range bad {
		r, ok := f.has(s, name)
		if !ok {
			if e := s.view.except[name]; e.known() && e.unknown {
				s.view.set(s.typeURL, name, entry{}) // now it is known that it did not take that
			}
			continue
		}
		before, ok := f.before[name]
		if !ok {
			before = entry{unknown: s.unknown}
		}
		// A warming cluster waits for an answer, if only for the one that it had.
		before.unknown = before.unknown || s.typeURL == resourcev3.EndpointType && p.waitsFor(name)
		p.undo(s, f, name, before)
		p.refuse(s, name, rejection{version: r.Version(), message: message, at: now})
		delete(f.sent, name)
		delete(f.before, name)
	}
	p.accept(s, f, now)
}

// withdraw works in that the target has no more what was rejected. Where the
// proxy holds what the target has now, nothing else would follow the NACK, and
// whoever watches the stream would take it for one that is behind for ever. So
// there is one more response, and an ACK.
func (p *Proxy) withdraw(s *subscription) {
	for name, bad := range s.rejected {
		r, wanted := p.target.resource(s.typeURL, name)
		_, differs := s.view.except[name]
		switch {
		case wanted && !differs && r.Version() != bad.version:
			s.resend(name)
		case !wanted && !differs && s.wildcard:
			s.missing = append(s.missing, name)
		}
		if !wanted {
			delete(s.rejected, name)
		}
	}
}

// suspect makes the resources of a rejected response, of which none was named, be
// sent again in two halves. Some proxies have taken the good ones.
func (p *Proxy) suspect(s *subscription, f flight, names []string) {
	for _, name := range names {
		p.undo(s, f, name, entry{unknown: true})
	}
	if half := len(names) / 2; half > 0 {
		s.suspects = slices.Insert(s.suspects, 0, names[:half], names[half:])
	}
}

// refuse remembers a rejection, and tells it if it is a new one.
func (p *Proxy) refuse(s *subscription, name string, r rejection) {
	r.pause = offerFirst
	if before, ok := s.rejected[name]; ok && before.version == r.version {
		r.pause = min(2*before.pause, offerMax)
	} else {
		p.note(Event{Kind: Rejected, TypeURL: s.typeURL, Names: []string{name}, Message: r.message})
	}
	if s.rejected == nil {
		s.rejected = map[string]rejection{}
	}
	s.rejected[name] = r
}

// offers reports whether r may be sent as far as rejections go.
func (p *Proxy) offers(s *subscription, r cache.Resource, now time.Time) bool {
	bad, ok := s.rejected[r.Name()]
	if !ok {
		return true
	}
	if bad.version != r.Version() {
		return true // not what was rejected
	}
	return p.due(bad.at.Add(bad.pause), now)
}

// isSuspect reports whether the name waits to be sent in a part of its own.
func (s *subscription) isSuspect(name string) bool {
	return slices.ContainsFunc(s.suspects, func(part []string) bool { return slices.Contains(part, name) })
}

// blamed returns the names that a NACK's message names: those that a colon
// follows, as in "Error adding/updating cluster(s) NAME: cannot …", or if there
// are none, those that it mentions at all.
func blamed(message string, names []string) []string {
	var accused, mentioned []string
	for _, name := range names {
		for rest, from := message, 0; ; {
			i := strings.Index(rest[from:], name)
			if i < 0 {
				break
			}
			start, end := from+i, from+i+len(name)
			before, _ := utf8.DecodeLastRuneInString(rest[:start])
			after, size := utf8.DecodeRuneInString(rest[end:])
			if !inName(before) && (!inName(after) || after == '.' && strings.TrimSpace(rest[end+size:]) == "") {
				mentioned = append(mentioned, name)
				if after == ':' {
					accused = append(accused, name)
				}
			}
			from = start + 1
		}
	}
	if len(accused) > 0 {
		return slices.Compact(accused)
	}
	return slices.Compact(mentioned)
}

// inName reports whether a rune can be part of a resource's name, so that "a" is
// not found in "bad".
func inName(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("-_./|", r))
}
