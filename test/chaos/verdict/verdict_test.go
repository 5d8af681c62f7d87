package verdict

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/xdsready/xdsready/test/chaos/config"
)

const (
	envoy    = "envoy-0"
	backends = 6
)

// story is a checker that was told of versions, one a second from 0 s on.
type story struct {
	*Checker
	versions []config.Config
}

func tell(versions int, transport string) story {
	random := rand.New(rand.NewPCG(1, 0))
	s := story{Checker: New(map[string]string{envoy: transport}), versions: []config.Config{config.First(random, backends)}}
	for len(s.versions) < versions {
		next, _ := s.versions[len(s.versions)-1].Next(random, backends)
		s.versions = append(s.versions, next)
	}
	for i, version := range s.versions {
		s.Publish(time.Duration(i)*time.Second, version)
	}
	return s
}

// sees tells what the proxy has: all of a version, but for what spoil takes away.
func (s story) sees(at time.Duration, version int, spoil func(*View)) {
	view := View{Listeners: slices.Clone(config.Names), Clusters: s.versions[version].Clusters()}
	if spoil != nil {
		spoil(&view)
	}
	for team, revision := range s.versions[version].Revisions() {
		s.Request(team, Request{Proxy: envoy, Status: 200, Revision: revision})
	}
	s.Sample(at, envoy, view)
}

func TestVanished(t *testing.T) {
	const last = 59
	at := func(version int) time.Duration { return time.Duration(version) * time.Second }
	cluster := tell(last+1, Delta).versions[last].Teams[0].Services[1].Cluster()
	for name, c := range map[string]struct {
		at    time.Duration
		holds int // the version that it has
		spoil func(*View)
		want  int
	}{
		"the newest version":                                {at: at(last), holds: last},
		"a version of a past":                               {at: at(last), holds: 3},
		"a version of a far past":                           {at: at(last) + 10*time.Minute, holds: 3, want: 1},
		"no update for long":                                {at: at(last) + 10*time.Minute, holds: last},
		"more than a version":                               {at: at(last), holds: last, spoil: func(v *View) { v.Clusters["left over"] = []int{1} }},
		"other endpoints":                                   {at: at(last), holds: last, spoil: func(v *View) { v.Clusters[cluster] = []int{7, 8, 9} }},
		"a cluster is missing":                              {at: at(last), holds: last, spoil: func(v *View) { delete(v.Clusters, cluster) }, want: 1},
		"endpoints are missing":                             {at: at(last), holds: last, spoil: func(v *View) { v.Clusters[cluster] = nil }, want: 1},
		"a listener is missing":                             {at: at(last), holds: last, spoil: func(v *View) { v.Listeners = v.Listeners[:1] }, want: 1},
		"everything is missing":                             {at: at(last), holds: last, spoil: func(v *View) { *v = View{} }, want: 1},
		"a new one without endpoints, which was not needed": {at: at(last), holds: last, spoil: func(v *View) { v.Clusters["a1-g9"] = nil }},
	} {
		t.Run(name, func(t *testing.T) {
			s := tell(last+1, Delta)
			s.sees(at(last), last, nil) // it has had the newest
			s.sees(c.at, c.holds, c.spoil)
			s.sees(c.at, c.holds, c.spoil) // what is still missing counts once
			if got := s.Result(nil).Vanished; len(got) != c.want {
				t.Errorf("vanished: %v, want %d", got, c.want)
			}
		})
	}
}

func TestLeftOverClusterLosesItsEndpoints(t *testing.T) {
	s := tell(60, Delta)
	var old string // a cluster that the last version has no more
	for cluster := range s.versions[0].Clusters() {
		if _, found := s.versions[59].Clusters()[cluster]; !found {
			old = cluster
		}
	}
	s.sees(59*time.Second, 59, func(v *View) { v.Clusters[old] = []int{1, 2, 3} })
	s.sees(60*time.Second, 59, func(v *View) { v.Clusters[old] = nil })
	if got := s.Result(nil).Vanished; len(got) != 1 {
		t.Errorf("vanished: %v, want the endpoints of %s", got, old)
	}
}

func TestNothingToLoseBeforeTheFirstConfig(t *testing.T) {
	s := tell(1, Delta)
	s.sees(time.Second, 0, func(v *View) { *v = View{} })
	if got := s.Result(nil).Vanished; len(got) != 0 {
		t.Errorf("vanished: %v, want nothing", got)
	}
}

func TestFailedRequests(t *testing.T) {
	unknown := []UnknownVersion{{At: 10 * time.Second, Proxy: envoy}}
	type counts struct{ Failed, Excused, Explained int }
	for name, c := range map[string]struct {
		transport string
		request   Request
		unknown   []UnknownVersion
		want      counts
	}{
		"2xx":                              {Delta, Request{Status: 204}, nil, counts{}},
		"503":                              {Delta, Request{Status: 503, Upstream: None}, nil, counts{Failed: 1}},
		"404":                              {Delta, Request{Status: 404, Upstream: None}, nil, counts{Failed: 1}},
		"no answer":                        {Delta, Request{Upstream: None}, nil, counts{Failed: 1}},
		"at the backend that was away":     {Delta, at(11, Request{Status: 503, Upstream: 3}), nil, counts{Excused: 1}},
		"at another backend":               {Delta, at(11, Request{Status: 503, Upstream: 2}), nil, counts{Failed: 1}},
		"at no backend meanwhile":          {Delta, at(11, Request{Status: 503, Upstream: None}), nil, counts{Failed: 1}},
		"before the backend was away":      {Delta, at(9, Request{Status: 503, Upstream: 3}), nil, counts{Failed: 1}},
		"long after the backend was away":  {Delta, at(20, Request{Status: 503, Upstream: 3}), nil, counts{Failed: 1}},
		"SotW after an unknown version":    {SotW, at(11, Request{Upstream: None}), unknown, counts{Explained: 1}},
		"SotW before an unknown version":   {SotW, at(9, Request{Upstream: None}), unknown, counts{Failed: 1}},
		"SotW long after one":              {SotW, at(40, Request{Upstream: None}), unknown, counts{Failed: 1}},
		"SotW after one of another proxy":  {SotW, at(11, Request{Upstream: None}), []UnknownVersion{{At: 10 * time.Second}}, counts{Failed: 1}},
		"delta has no unknown version":     {Delta, at(11, Request{Upstream: None}), unknown, counts{Failed: 1}},
		"SotW for no reason that was said": {SotW, at(11, Request{Upstream: None}), nil, counts{Failed: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			s := tell(1, c.transport)
			s.Outage(3, 10*time.Second, 12*time.Second)
			c.request.Proxy = envoy
			s.Request("a", c.request)
			r := s.Result(c.unknown)
			if diff := cmp.Diff(c.want, counts{len(r.Failed), r.Excused, len(r.ExplainedFailed)}); diff != "" || r.Requests != 1 {
				t.Errorf("of %d requests (-want +got):\n%s", r.Requests, diff)
			}
		})
	}
}

func TestVanishedAfterAnUnknownVersion(t *testing.T) {
	for transport, want := range map[string]int{SotW: 1, Delta: 0} {
		s := tell(1, transport)
		s.sees(10*time.Second, 0, nil)
		s.sees(12*time.Second, 0, func(v *View) { v.Clusters = nil })
		r := s.Result([]UnknownVersion{{At: 11 * time.Second, Proxy: envoy}})
		if got := len(r.ExplainedVanished); got != want || len(r.Vanished) != 1-want {
			t.Errorf("%s: explained are %v and not %v, want %d explained", transport, r.ExplainedVanished, r.Vanished, want)
		}
	}
}

// at is the request, sent at a second and answered a little later.
func at(second int, r Request) Request {
	r.From = time.Duration(second) * time.Second
	r.To = r.From + 10*time.Millisecond
	return r
}

func TestBehindAndLongestWait(t *testing.T) {
	s := tell(6, Delta) // the last at 5 s
	s.sees(500*time.Millisecond, 0, nil)
	s.sees(3500*time.Millisecond, 3, nil) // waited for version 1 since 1 s
	if s.Holds(4) || !s.Holds(3) {
		t.Error("Holds(3) and not Holds(4) is what it was seen to have")
	}
	r := s.Result(nil)
	if diff := cmp.Diff([]string{envoy}, r.Behind); diff != "" {
		t.Errorf("behind (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Wait{Proxy: envoy, Version: 1, For: 2500 * time.Millisecond}, r.Longest); diff != "" {
		t.Errorf("longest (-want +got):\n%s", diff)
	}
	s.sees(6*time.Second, 5, nil)
	if got := s.Result(nil).Behind; len(got) > 0 {
		t.Errorf("behind: %v, want none", got)
	}
}

// A proxy with the clusters of a version has that version only when its route
// tables and endpoints are those as well.
func TestHalfAVersionIsNotHeld(t *testing.T) {
	for name, answers := range map[string]int{"all of it": 0, "an old route table": 1} {
		t.Run(name, func(t *testing.T) {
			s := tell(6, Delta)
			view := View{Listeners: config.Names, Clusters: s.versions[5].Clusters()}
			for team, revision := range s.versions[5].Revisions() {
				s.Request(team, Request{Proxy: envoy, Status: 200, Revision: revision - answers})
			}
			s.Sample(5*time.Second, envoy, view)
			if held := s.Holds(5); held != (answers == 0) {
				t.Errorf("it is said to hold the version: %v", held)
			}
		})
	}
	s := tell(6, Delta)
	s.sees(5*time.Second, 5, func(v *View) { v.Clusters[s.versions[5].Teams[0].Services[0].Cluster()] = []int{9, 9, 9} })
	if s.Holds(5) {
		t.Error("with other endpoints it is said to hold the version")
	}
}
