package publish_test

import (
	"maps"
	"slices"
	"strings"
	"time"

	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/xdsready/xdsready/pkg/cache"
	"github.com/xdsready/xdsready/pkg/xds/publish"
)

// request is one that a client of the proxy can make.
type request struct{ listener, path string }

// routes returns where the requests go that the proxy takes.
func (e *envoy) routes() map[request]string {
	all := map[request]string{}
	for name, l := range e.listeners {
		if !known(l.active) {
			continue
		}
		for path, cluster := range e.routesOf(e.library.read(l.active)) {
			all[request{name, path}] = cluster
		}
	}
	return all
}

func (e *envoy) routesOf(listener meaning) map[string]string {
	if listener.table == "" {
		return listener.routes
	}
	return e.library.read(e.tables[listener.table]).routes
}

// serves reports whether a request that chose the cluster finds one.
func (e *envoy) serves(cluster string) bool {
	c := e.clusters[cluster]
	if c == nil || !known(c.active) {
		return false
	}
	members := e.library.read(c.active).members
	return len(members) == 0 || slices.ContainsFunc(members, func(member string) bool { return member != cluster && e.serves(member) })
}

// hollow reports whether the proxy has the cluster, and it is made of others that
// are gone: an older snapshot was so.
func (e *envoy) hollow(cluster string) bool {
	c := e.clusters[cluster]
	return c != nil && known(c.active) && !e.serves(cluster)
}

// checkDelivery lets the proxy read a response and looks for requests that went
// well before and fail now.
func (s *simulation) checkDelivery(m message) {
	before, clusters := map[request]string{}, maps.Clone(s.client.clusters)
	for r, cluster := range s.client.routes() {
		if s.client.serves(cluster) {
			before[r] = cluster
		}
	}
	s.noteUse()
	s.client.receive(m)
	after := s.client.routes()
	for r, was := range before {
		is, ok := after[r]
		switch {
		case m.unknown || s.client.serves(is) || (was != is || m.unknownOld) && s.client.hollow(is):
		case !ok && (!s.wants(m.target, r) || s.refused(r) || !s.wants(s.client.from(r), r)):
		case ok && s.excused(m, is):
		default:
			s.fatalf("%v went to %s, and now to %q, which does not serve", r, was, is)
		}
	}
	for name := range clusters {
		if s.client.clusters[name] == nil && !m.unknown && !m.unknownOld && !dangles(m.target, name) {
			s.checkRemoval(name)
		}
	}
	s.noteUse()
}

// refused reports whether the proxy has refused what the request's route depends
// on. After two minutes the rest goes on without.
func (s *simulation) refused(r request) bool {
	l := s.client.listeners[r.listener]
	if l == nil {
		return false
	}
	_, noTable := s.rejections[key(resourcev3.RouteType, s.library.read(l.active).table)]
	_, noListener := s.rejections[key(resourcev3.ListenerType, r.listener)]
	next, _ := s.target.Resource(resourcev3.ListenerType, r.listener)
	noCluster := slices.ContainsFunc(slices.Collect(next.Targets(resourcev3.ClusterType)), func(name string) bool {
		_, ok := s.rejections[key(resourcev3.ClusterType, name)]
		return ok
	})
	return noTable || noListener || noCluster
}

// from returns the snapshot that the proxy's listener came from.
func (e *envoy) from(r request) *cache.Snapshot {
	if l := e.listeners[r.listener]; l != nil {
		return l.from
	}
	return nil
}

// wants reports whether the snapshot has a route for the request.
func (s *simulation) wants(snapshot *cache.Snapshot, r request) bool {
	l, ok := snapshot.Resource(resourcev3.ListenerType, r.listener)
	if !ok {
		return false
	}
	m := s.library.read(l)
	if m.table != "" {
		t, _ := snapshot.Resource(resourcev3.RouteType, m.table)
		m = s.library.read(t)
	}
	_, ok = m.routes[r.path]
	return ok
}

// excused reports whether a route may lead to a cluster that does not serve: the
// snapshot has no such cluster, or it was waited for for two minutes.
func (s *simulation) excused(m message, cluster string) bool {
	c, ok := m.target.Resource(resourcev3.ClusterType, cluster)
	if !ok || !m.at.Before(m.since[cluster].Add(2*time.Minute)) {
		return true
	}
	members := s.library.read(c).members
	return len(members) > 0 && !slices.ContainsFunc(members, func(member string) bool { return !s.excused(m, member) })
}

// checkRemoval looks for requests that need a cluster that is removed now.
func (s *simulation) checkRemoval(name string) {
	if last, ok := s.use[name]; ok && s.now.Before(last.at.Add(removalDelay)) {
		s.fatalf("cluster %s is removed %v after a request could choose it: %v", name, s.now.Sub(last.at), last.request)
	}
	for _, d := range s.client.draining {
		if d.until.After(s.now) && s.remembers(d.active) && slices.Contains(slices.Collect(maps.Values(s.client.routesOf(d.listener))), name) {
			s.fatalf("cluster %s is removed %v before connections end that need it", name, d.until.Sub(s.now))
		}
	}
}

// remembers reports whether the server may know that a listener was there. Of one
// that another server sent, it cannot know what its connections still need.
func (s *simulation) remembers(listener cache.Resource) bool {
	return slices.ContainsFunc(s.known, func(snapshot *cache.Snapshot) bool {
		r, ok := snapshot.Resource(resourcev3.ListenerType, listener.Name())
		return ok && r.Equal(listener)
	})
}

// noteUse notes which clusters a request can choose now.
func (s *simulation) noteUse() {
	for r, cluster := range s.client.routes() {
		s.noteUseOf(cluster, r, 0)
	}
}

func (s *simulation) noteUseOf(cluster string, r request, depth int) {
	s.use[cluster] = use{r, s.now}
	if c := s.client.clusters[cluster]; c != nil && depth < 3 {
		for _, member := range s.library.read(c.active).members {
			s.noteUseOf(member, r, depth+1)
		}
	}
}

func key(typeURL, name string) string { return typeURL + " " + name }

// noteRejection notes what a NACK says: of which resources, where it names them
// or there was only one.
func (s *simulation) noteRejection(r publish.Request) {
	if s.repeats(r) {
		return
	}
	resources := s.sent[r.Nonce].resources
	for _, bad := range resources {
		if len(resources) > 1 && !strings.Contains(r.Error, " "+bad.Name()+":") {
			continue
		}
		k, pause := key(r.TypeURL, bad.Name()), time.Minute
		if before, ok := s.rejections[k]; ok && before.version == bad.Version() {
			if !s.sent[r.Nonce].at.After(before.at) {
				continue // it was on its way
			}
			pause = min(2*before.pause, 15*time.Minute)
		}
		s.rejections[k] = rejection{typeURL: r.TypeURL, name: bad.Name(), version: bad.Version(), at: s.now, pause: pause}
	}
}

// repeats reports whether a later response has repeated what a NACK is about,
// so that the answer to that one counts.
func (s *simulation) repeats(r publish.Request) bool {
	if s.options.Delta || r.TypeURL != resourcev3.ClusterType && r.TypeURL != resourcev3.ListenerType {
		return false
	}
	return s.stale(r)
}

// stale reports whether a later response has been sent than the one that a request
// answers.
func (s *simulation) stale(r publish.Request) bool {
	last := r.Nonce
	for nonce, m := range s.sent {
		if m.response.TypeURL == r.TypeURL && (len(nonce) > len(last) || len(nonce) == len(last) && nonce > last) {
			last = nonce
		}
	}
	return last != r.Nonce
}

func (s *simulation) noteAcceptance(r publish.Request) {
	for _, good := range s.sent[r.Nonce].resources {
		delete(s.rejections, key(r.TypeURL, good.Name()))
	}
}

// checkResponse looks at a response when it is sent.
func (s *simulation) checkResponse(m message) {
	names := map[string]bool{}
	for _, r := range m.resources {
		if names[r.Name()] {
			s.fatalf("%s is there twice", r)
		}
		names[r.Name()] = true
		bad, rejected := s.rejections[key(r.TypeURL(), r.Name())]
		_, wanted := s.target.Resource(r.TypeURL(), r.Name()) // what is to go is repeated until then
		early := rejected && wanted && bad.version == r.Version() && s.now.Before(bad.at.Add(bad.pause))
		if early && !s.mustRepeat(r.TypeURL()) {
			s.fatalf("%s is sent again %v after it was rejected, not %v", r, s.now.Sub(bad.at), bad.pause)
		}
	}
	if m.response.TypeURL == resourcev3.RouteType && len(m.response.Removed) > 0 {
		s.fatalf("a route table is removed, for which a listener would wait for ever")
	}
	if m.response.Greeting && len(m.resources)+len(m.response.Removed) > 0 {
		s.fatalf("a greeting that says something")
	}
}

// mustRepeat reports whether a response has to repeat what was rejected, or the proxy
// would drop what it has instead, and the server does not know that.
func (s *simulation) mustRepeat(typeURL string) bool {
	return !s.options.Delta && (s.unknown || s.unknownOld) && (typeURL == resourcev3.ClusterType || typeURL == resourcev3.ListenerType)
}

// end waits until nothing more happens, and compares what the proxy holds with
// what it is to hold.
func (s *simulation) end() {
	s.tracef("end")
	s.rest(s.now.Add(time.Hour))
	s.tracef("end, and nothing is rejected any more")
	s.client.tolerant = true
	s.rest(s.now.Add(time.Hour))
	if s.forgets && !s.client.lies(s.past) { // such a server removes less
		s.connect(len(s.past))
		s.rest(s.now.Add(time.Hour))
	}
	for _, typeURL := range modelledTypes {
		s.compare(typeURL)
	}
	if d := s.proxy.Deadline(); !d.IsZero() {
		s.fatalf("the server still waits for %v", d)
	}
	if !s.proxy.Current() {
		s.fatalf("the proxy is not current: %+v", s.proxy.Types())
	}
	s.resume()
}

// rest lets everything happen that is under way or waits for time only.
func (s *simulation) rest(until time.Time) {
	s.settle()
	s.pass(time.Second)
	for {
		s.settle()
		if name := s.client.hungry(s.target); name != "" {
			s.fatalf("load assignment %s is not sent", name)
		}
		if !s.now.Before(until) {
			return
		}
		s.pass(min(until.Sub(s.now), 5*time.Minute))
	}
}

// settle delivers all messages, to proxies whose endpoints answer.
func (s *simulation) settle() {
	for range 1000 {
		if len(s.toClient)+len(s.toServer)+len(s.client.slow()) == 0 {
			return
		}
		s.answerChecks()
		s.deliver()
		s.request()
	}
	s.fatalf("messages go back and forth without end")
}

func (s *simulation) compare(typeURL string) {
	want, got := map[string]string{}, map[string]string{}
	wanted := s.client.wanted(typeURL)
	for _, r := range s.target.Resources(typeURL) {
		if slices.Contains(wanted, r.Name()) || typeURL == resourcev3.ClusterType || typeURL == resourcev3.ListenerType {
			want[r.Name()] = r.Version().String()
		}
	}
	for name, r := range s.client.holds(typeURL) {
		if _, ok := want[name]; ok || !s.mayStay(typeURL, name) {
			got[name] = r.Version().String()
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		s.fatalf("%s: the proxy does not hold what it is to hold (-want +got):\n%s%s", short(typeURL), diff, s.proxy.Waits())
	}
}

// dangles reports whether a snapshot refers to a cluster that it has not. If a
// proxy did not ask for what refers, it loses the cluster.
func dangles(snapshot *cache.Snapshot, cluster string) bool {
	return slices.ContainsFunc(snapshot.Dangling(), func(r cache.Reference) bool {
		return r.Type == resourcev3.ClusterType && r.Name == cluster
	})
}

// mayStay reports whether a proxy may keep what the target has not: a cluster
// that the target refers to all the same, or that such a cluster is made of, as far
// as the server knows.
func (s *simulation) mayStay(typeURL, name string) bool {
	if typeURL == resourcev3.EndpointType {
		return !s.isServiceOf(s.target.Resources(resourcev3.ClusterType), name)
	}
	return slices.ContainsFunc(s.target.Dangling(), func(r cache.Reference) bool {
		return r.Type == typeURL && (r.Name == name || s.unknown || s.client.isPart(r.Name, name, 0))
	})
}

// isServiceOf reports whether one of the clusters has the load assignment.
func (s *simulation) isServiceOf(clusters []cache.Resource, name string) bool {
	return slices.ContainsFunc(clusters, func(c cache.Resource) bool { return s.library.read(c).service == name })
}

// isPart reports whether a cluster is made of another, directly or not.
func (e *envoy) isPart(whole, name string, depth int) bool {
	c := e.clusters[whole]
	return c != nil && depth < 5 && slices.ContainsFunc(e.library.read(c.active).members, func(member string) bool {
		return member == name || e.isPart(member, name, depth+1)
	})
}

// resume reconnects a proxy that has everything: it is to be sent one greeting,
// or an empty answer of the types of which it has nothing to show.
func (s *simulation) resume() {
	if s.client.lies(s.past) {
		return
	}
	blank, stale := s.client.blank(), s.client.stale(s.target)
	s.connect(len(s.past))
	s.settle()
	s.pass(time.Hour)
	s.settle()
	if n := len(s.sent); n == 0 || n > max(1, blank) && len(stale) == 0 {
		s.fatalf("a proxy that has everything was sent %d responses; of %d types it had nothing", n, blank)
	}
	for _, m := range s.sent {
		if !slices.Contains(stale, m.response.TypeURL) && len(m.resources) > 0 {
			s.fatalf("a proxy that has everything was sent %s", describe(m))
		}
	}
}
