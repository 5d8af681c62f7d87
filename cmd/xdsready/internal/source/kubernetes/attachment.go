package kubernetes

import (
	"context"
	"time"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/gatewayapi"
)

// attachment is one route on its way into snapshots.
type attachment struct {
	used      *gatewayapi.Resolution      // what snapshots show; nil: nothing yet
	next      *gatewayapi.Resolution      // waits for confirmation; nil: none
	confirmed map[gatewayapi.Absence]bool // known for the newest route, this generation of it
	asking    map[gatewayapi.Absence]bool // under way
	cancel    context.CancelFunc          // ends what is under way
	deadline  time.Time                   // of the confirmation
}

// newest returns the route as it was last seen, nil if never.
func (a *attachment) newest() *gatewayapi.Route {
	switch {
	case a.next != nil:
		return a.next.Route
	case a.used != nil:
		return a.used.Route
	}
	return nil
}

// routes returns the route in use and, if another one waits, that.
func (a *attachment) routes() []*gatewayapi.Route {
	var routes []*gatewayapi.Route
	if a.used != nil {
		routes = append(routes, a.used.Route)
	}
	if a.next != nil {
		routes = append(routes, a.next.Route)
	}
	return routes
}

// end ends what is under way.
func (a *attachment) end() {
	if a.cancel != nil {
		a.cancel()
	}
	a.cancel, a.asking, a.deadline = nil, nil, time.Time{}
}

// consider takes a resolution into use, or has its new absences confirmed
// first: until then the one in use stays. It reports whether it is in use.
func (m *model) consider(ctx context.Context, a *attachment, r *gatewayapi.Resolution) bool {
	if newest := a.newest(); newest == nil || !newest.Equals(r.Route) {
		a.end()
		a.confirmed = nil // another generation may be younger than what it names
	}
	confirmed, open := map[gatewayapi.Absence]bool{}, []gatewayapi.Absence{}
	inFlight := true
	for _, absence := range r.Absent {
		if m.trusting || a.confirmed[absence] {
			confirmed[absence] = true
			continue
		}
		open = append(open, absence)
		inFlight = inFlight && a.asking[absence]
	}
	a.confirmed = confirmed
	if len(open) == 0 {
		a.end()
		a.used, a.next = r, nil
		return true
	}
	a.next = r
	if inFlight {
		return false
	}
	deadline := a.deadline
	a.end()
	if a.deadline = deadline; deadline.IsZero() {
		a.deadline = time.Now().Add(confirmTimeout)
	}
	a.asking = map[gatewayapi.Absence]bool{}
	for _, absence := range open {
		a.asking[absence] = true
	}
	a.cancel = m.confirmer.start(ctx, r.Route, open, a.deadline)
	return false
}

// learn takes an answer in; stale ones, of another generation, are dropped.
func (a *attachment) learn(answer answer) bool {
	newest := a.newest()
	if newest == nil || !newest.Equals(answer.route) {
		return false
	}
	for _, absence := range answer.absent {
		a.confirmed[absence] = true
		delete(a.asking, absence)
	}
	return true
}
