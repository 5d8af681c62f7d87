package config

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
)

// changes are all that may change, each as often as it is drawn. They return
// whether the route table changed too.
var changes = []func(random *rand.Rand, t *Team, version, backends int) bool{
	move, move, rename, rename, comeOrGo, routeOrNot,
}

// Next returns the configuration after one more change, and the team whose file
// has it.
func (c Config) Next(random *rand.Rand, backends int) (next Config, team int) {
	next = c.clone()
	next.Version++
	team = random.IntN(len(next.Teams))
	t := &next.Teams[team]
	if changes[random.IntN(len(changes))](random, t, next.Version, backends) {
		t.Revision = next.Version
	}
	return next, team
}

// move gives a service other endpoints.
func move(random *rand.Rand, t *Team, _, backends int) bool {
	s := &t.Services[random.IntN(len(t.Services))]
	for before := s.Backends; slices.Equal(s.Backends, before); {
		s.Backends = service(random, s.Name, 0, backends).Backends
	}
	return false
}

// rename replaces the cluster of a service by one of another name, and with it
// the target of its route. The generation is the version: no name comes twice.
func rename(random *rand.Rand, t *Team, version, backends int) bool {
	s := &t.Services[random.IntN(permanent)]
	*s = service(random, s.Name, version, backends)
	return true
}

// comeOrGo adds a guest with its route, or removes one that is there.
func comeOrGo(random *rand.Rand, t *Team, version, backends int) bool {
	guest := name(t.Name, permanent+random.IntN(guests))
	at := slices.IndexFunc(t.Services, func(s Service) bool { return s.Name == guest })
	if at >= 0 {
		routed := t.Services[at].Routed
		t.Services = slices.Delete(t.Services, at, at+1)
		return routed
	}
	t.Services = append(t.Services, service(random, guest, version, backends))
	return true
}

// routeOrNot adds or removes the route of a service that stays.
func routeOrNot(random *rand.Rand, t *Team, _, _ int) bool {
	s := &t.Services[random.IntN(len(t.Services))]
	s.Routed = !s.Routed
	return true
}

// Sum says in a line what c changed of the version before it.
func (c Config) Sum(before Config) string {
	then, now := before.Clusters(), c.Clusters()
	var gone, come, moved []string
	for _, cluster := range slices.Sorted(maps.Keys(then)) {
		if _, found := now[cluster]; !found {
			gone = append(gone, cluster)
		}
	}
	for _, cluster := range slices.Sorted(maps.Keys(now)) {
		switch endpoints, found := then[cluster]; {
		case !found:
			come = append(come, cluster)
		case !slices.Equal(endpoints, now[cluster]):
			moved = append(moved, cluster)
		}
	}
	switch {
	case len(come) > 0 && len(gone) > 0:
		return fmt.Sprintf("version %d: %s instead of %s", c.Version, come[0], gone[0])
	case len(come) > 0:
		return fmt.Sprintf("version %d: %s added", c.Version, come[0])
	case len(gone) > 0:
		return fmt.Sprintf("version %d: %s removed", c.Version, gone[0])
	case len(moved) > 0:
		return fmt.Sprintf("version %d: other endpoints of %s", c.Version, moved[0])
	default:
		return fmt.Sprintf("version %d: a route", c.Version)
	}
}
