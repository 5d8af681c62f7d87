package publish_test

import (
	"maps"
	"slices"
	"time"

	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"

	"github.com/xdsready/xdsready/pkg/cache"
	"github.com/xdsready/xdsready/pkg/xds/publish"
)

// envoy is a small model of an Envoy, with the behaviour that was measured:
// it asks for all clusters, for listeners when these are warm, and for what the
// two refer to; it answers a CDS response when no cluster is warming; what it
// rejects leaves what it had before.
type envoy struct {
	library   *library
	delta     bool
	drainTime time.Duration
	// reconnected: it had clusters when it opened its stream.
	reconnected bool
	tolerant    bool // it takes bad content: the reason to reject it has gone
	now         time.Time

	clusters    map[string]*modelCluster
	assignments map[string]cache.Resource
	secrets     map[string]cache.Resource
	tables      map[string]cache.Resource
	listeners   map[string]*modelListener
	draining    []drainingChain
	started     bool // the first clusters have come
	loaded      bool // and were warm

	streams map[string]*modelType
	owesCDS bool              // it reconnected while a cluster was warming
	held    []publish.Request // CDS answers that wait for warm clusters
	refused map[cache.Version]bool
	out     []publish.Request
}

type modelCluster struct {
	active, warming cache.Resource
	fed             bool // its load assignment came after the cluster, or it has waited long enough
	since           time.Time
	healed          bool // it was rejected first, and repeated
	answered        bool // its endpoints answered health checks
}

type modelListener struct {
	active, warming cache.Resource
	from            *cache.Snapshot // that it came with
}

// initFetchTimeout is how long a cluster waits for its load assignment.
const initFetchTimeout = 15 * time.Second

// drainingChain is a listener that was replaced and still has connections.
type drainingChain struct {
	active   cache.Resource
	listener meaning
	until    time.Time
}

// modelType is what the proxy remembers of a type. Only the version outlives a
// stream.
type modelType struct {
	version string
	partial bool // of the last response it rejected a part, and took the rest
	nonce   string
	names   []string
	asked   bool
	reading bool // a response
}

func newEnvoy(library *library, delta bool, drainTime time.Duration) *envoy {
	e := &envoy{
		library: library, delta: delta, drainTime: drainTime,
		clusters: map[string]*modelCluster{}, assignments: map[string]cache.Resource{}, secrets: map[string]cache.Resource{},
		tables: map[string]cache.Resource{}, listeners: map[string]*modelListener{}, streams: map[string]*modelType{},
		refused: map[cache.Version]bool{},
	}
	for _, typeURL := range modelledTypes {
		e.streams[typeURL] = &modelType{}
	}
	return e
}

// modelledTypes are the types in the order in which a proxy asks for them.
var modelledTypes = []string{
	resourcev3.ClusterType, resourcev3.EndpointType, resourcev3.SecretType, resourcev3.ListenerType, resourcev3.RouteType,
}

func known(r cache.Resource) bool { return r.TypeURL() != "" }

// latest is what a cluster or listener is to become.
func latest(active, warming cache.Resource) cache.Resource {
	if known(warming) {
		return warming
	}
	return active
}

// connect opens a stream: all subscriptions come at once, but that for clusters
// waits while one is warming.
func (e *envoy) connect() {
	e.reconnected = len(e.clusters) > 0
	e.out, e.held, e.owesCDS = nil, nil, false
	for _, s := range e.streams {
		s.nonce, s.names, s.asked = "", nil, false
	}
	if e.owesCDS = e.loaded && e.warming(); !e.owesCDS {
		e.ask(resourcev3.ClusterType)
	}
	if e.loaded {
		e.ask(resourcev3.ListenerType)
	}
	e.subscribe()
}

func (e *envoy) warming() bool {
	for _, c := range e.clusters {
		if known(c.warming) {
			return true
		}
	}
	return false
}

// ask sends a type's request: the first of a stream, or one with other names.
func (e *envoy) ask(typeURL string) {
	s := e.streams[typeURL]
	names := e.wanted(typeURL)
	if s.reading && !e.delta {
		s.names = names // the answer names them: Envoy pauses the requests of a type while it reads a response of it
		return
	}
	r := publish.Request{TypeURL: typeURL}
	if e.delta {
		r.Subscribe, r.Unsubscribe = minus(names, s.names), minus(s.names, names)
		r.Names = publish.NewNames(r.Subscribe)
		if !s.asked {
			r.Initial = e.versions(typeURL)
		}
	} else {
		r.Nonce, r.Version, r.Names = s.nonce, s.version, publish.NewNames(names)
	}
	s.asked, s.names = true, names
	e.out = append(e.out, r)
}

func minus(all, gone []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(name string) bool { return slices.Contains(gone, name) })
}

// wanted returns the names that the proxy needs of a type; none of clusters and
// listeners, of which it takes all.
func (e *envoy) wanted(typeURL string) []string {
	names := map[string]bool{}
	switch typeURL {
	case resourcev3.EndpointType:
		for _, m := range e.clusterMeanings() {
			names[m.service] = true
		}
	case resourcev3.SecretType:
		for _, m := range e.clusterMeanings() {
			for _, name := range m.secrets {
				names[name] = true
			}
		}
	case resourcev3.RouteType:
		for _, l := range e.listeners {
			names[e.library.read(l.active).table], names[e.library.read(l.warming).table] = true, true
		}
		for _, d := range e.draining {
			names[d.listener.table] = true
		}
	}
	delete(names, "")
	return slices.Sorted(maps.Keys(names))
}

func (e *envoy) clusterMeanings() []meaning {
	var all []meaning
	for _, c := range e.clusters {
		all = append(all, e.library.read(c.active), e.library.read(c.warming))
	}
	return all
}

// versions returns what the proxy holds of a type, for initial_resource_versions.
func (e *envoy) versions(typeURL string) map[string]string {
	versions := map[string]string{}
	for name, r := range e.holds(typeURL) {
		versions[name] = r.Version().String()
	}
	return versions
}

// holds returns what the proxy has accepted of a type.
func (e *envoy) holds(typeURL string) map[string]cache.Resource {
	all := map[string]cache.Resource{}
	switch typeURL {
	case resourcev3.ClusterType:
		for name, c := range e.clusters {
			all[name] = latest(c.active, c.warming)
		}
	case resourcev3.ListenerType:
		for name, l := range e.listeners {
			all[name] = latest(l.active, l.warming)
		}
	case resourcev3.EndpointType:
		return e.assignments
	case resourcev3.SecretType:
		return e.secrets
	case resourcev3.RouteType:
		return e.tables
	}
	return all
}

// subscribe asks for what clusters and listeners refer to now.
func (e *envoy) subscribe() {
	for _, typeURL := range []string{resourcev3.EndpointType, resourcev3.SecretType, resourcev3.RouteType} {
		names, held := e.wanted(typeURL), e.holds(typeURL)
		maps.DeleteFunc(held, func(name string, _ cache.Resource) bool { return !slices.Contains(names, name) })
		if s := e.streams[typeURL]; !slices.Equal(names, s.names) {
			e.ask(typeURL)
		}
	}
}

// settle moves on whatever can: warming clusters and listeners become active,
// which changes what is asked for.
func (e *envoy) settle() {
	for _, c := range e.clusters {
		if known(c.warming) && e.warm(c) {
			c.active, c.warming = c.warming, cache.Resource{}
		}
	}
	e.subscribe()
	for _, name := range slices.Sorted(maps.Keys(e.listeners)) {
		l := e.listeners[name]
		table := e.library.read(l.warming).table
		if known(l.warming) && (table == "" || known(e.tables[table])) {
			e.drain(l.active)
			l.active, l.warming = l.warming, cache.Resource{}
		}
	}
	e.subscribe()
	if !e.warming() {
		e.allWarm()
	}
}

func (e *envoy) warm(c *modelCluster) bool {
	m := e.library.read(c.warming)
	for _, name := range m.secrets {
		if !known(e.secrets[name]) {
			return false
		}
	}
	return (m.service == "" || c.fed) && (!m.slow || c.answered)
}

// allWarm says what waited for warm clusters.
func (e *envoy) allWarm() {
	switch {
	case e.owesCDS:
		e.owesCDS = false
		e.ask(resourcev3.ClusterType)
	case !e.loaded && e.started:
		e.loaded = true
		e.ask(resourcev3.ListenerType)
	}
	e.out, e.held = append(e.out, e.held...), nil
}

// answer sends an ACK or NACK. That of clusters waits for all of them to be
// warm, but on the first load.
func (e *envoy) answer(r publish.Request) {
	s := e.streams[r.TypeURL]
	if !e.delta {
		r.Version, r.Names = s.version, publish.NewNames(s.names)
	}
	if r.TypeURL != resourcev3.ClusterType || !e.loaded || !e.warming() {
		e.out = append(e.out, r)
		return
	}
	if !e.delta {
		e.held = nil // it answers the last one only
	}
	e.held = append(e.held, r)
}

// pass lets time go by.
func (e *envoy) pass(now time.Time) {
	e.now = now
	e.draining = slices.DeleteFunc(e.draining, func(d drainingChain) bool { return !now.Before(d.until) })
	for _, c := range e.clusters {
		c.fed = c.fed || !now.Before(c.since.Add(initFetchTimeout))
	}
	e.settle()
}

// wakes returns when something happens by itself, at the latest until.
func (e *envoy) wakes(until time.Time) time.Time {
	for _, d := range e.draining {
		if d.until.Before(until) {
			until = d.until
		}
	}
	for _, c := range e.clusters {
		if end := c.since.Add(initFetchTimeout); known(c.warming) && end.After(e.now) && end.Before(until) {
			until = end
		}
	}
	return until
}

// slow returns the clusters whose health checks are unanswered.
func (e *envoy) slow() []string {
	var names []string
	for name, c := range e.clusters {
		if known(c.warming) && e.library.read(c.warming).slow && !c.answered {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// hungry returns a load assignment that a cluster waits for, and the target has,
// and the proxy would accept.
func (e *envoy) hungry(target *cache.Snapshot) string {
	if e.reconnected && !e.loaded {
		return "" // it serves nothing yet
	}
	for name, c := range e.clusters {
		_, wanted := target.Resource(resourcev3.ClusterType, name)
		r, ok := target.Resource(resourcev3.EndpointType, e.library.read(c.warming).service)
		if wanted && ok && !c.fed && !c.healed && e.now.Before(c.since.Add(initFetchTimeout)) && !e.library.read(r).bad {
			return r.Name()
		}
	}
	return ""
}

// answerChecks makes the endpoints of a cluster answer.
func (e *envoy) answerChecks(name string) {
	e.clusters[name].answered = true
	e.settle()
}
