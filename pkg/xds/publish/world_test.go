package publish_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/xdsready/xdsready/pkg/cache"
)

// world is a random config, from which the next one is made by a few edits.
type world struct {
	clusters  map[string]clusterSpec
	endpoints map[string]endpointsSpec
	secrets   map[string]secretSpec
	tables    map[string]tableSpec
	listeners map[string]listenerSpec
}

// The specs are comparable: each stands for one message, made once.
type (
	clusterSpec struct {
		name     string
		kind     int // index in clusterKinds
		members  [2]string
		revision int
		bad      bool
	}
	endpointsSpec struct {
		name     string
		revision int
		bad      bool
	}
	secretSpec struct {
		name     string
		revision int
	}
	routes    [3]string // the clusters of the paths /0, /1, /2; empty: no such route
	tableSpec struct {
		name     string
		routes   routes
		override bool // of the HTTP filter
		bad      bool
	}
	listenerSpec struct {
		name     string
		kind     int // rds, inline, tcp
		table    string
		routes   routes
		cluster  string
		filter   bool
		revision int
		bad      bool
	}
)

const (
	rdsKind = iota
	inlineKind
	tcpKind
)

const (
	staticKind = iota
	edsKind
	sharedKind // its load assignment bears another name, as other clusters' do
	slowKind   // EDS with health checks
	slowStaticKind
	secretKind
	aggregateKind
	clusterKinds
)

const httpFilter = "authz"

func newWorld(random *rand.Rand) *world {
	w := &world{
		clusters: map[string]clusterSpec{}, endpoints: map[string]endpointsSpec{}, secrets: map[string]secretSpec{},
		tables: map[string]tableSpec{}, listeners: map[string]listenerSpec{},
	}
	w.secrets["s"] = secretSpec{name: "s"}
	for range 2 {
		w.addCluster(random)
	}
	w.tables["r0"] = tableSpec{name: "r0", routes: routes{w.anyCluster(random), w.anyCluster(random)}}
	w.listeners["l0"] = listenerSpec{name: "l0", table: "r0"}
	for range random.IntN(6) {
		w.edit(random)
	}
	return w
}

func (w *world) clone() *world {
	return &world{
		clusters: maps.Clone(w.clusters), endpoints: maps.Clone(w.endpoints), secrets: maps.Clone(w.secrets),
		tables: maps.Clone(w.tables), listeners: maps.Clone(w.listeners),
	}
}

// edit changes one thing that people change, and says what.
func (w *world) edit(random *rand.Rand) string {
	switch p := random.IntN(100); {
	case p < 30:
		return w.swap(random)
	case p < 38:
		return w.changeCluster(random)
	case p < 44:
		return "add cluster " + w.addCluster(random)
	case p < 50:
		return w.removeCluster(random)
	case p < 60:
		return w.changeEndpoints(random)
	case p < 74:
		return w.changeTable(random)
	case p < 96:
		return w.changeListener(random)
	default:
		w.secrets["s"] = secretSpec{name: "s", revision: random.IntN(3)}
		return "change secret"
	}
}

func (w *world) anyCluster(random *rand.Rand) string { return anyOf(random, w.clusters) }

// anyOf returns a random key, the same for the same random numbers.
func anyOf[V any](random *rand.Rand, m map[string]V) string {
	if len(m) == 0 {
		return ""
	}
	keys := slices.Sorted(maps.Keys(m))
	return keys[random.IntN(len(keys))]
}

func (w *world) addCluster(random *rand.Rand) string {
	name := fmt.Sprintf("c%d", random.IntN(6))
	c := clusterSpec{name: name, kind: random.IntN(clusterKinds), revision: random.IntN(3), bad: random.IntN(15) == 0}
	if c.kind == aggregateKind {
		// Only the last two are made of others, so that there are no circles.
		if c.members = [2]string{w.anyCluster(random), w.anyCluster(random)}; name < "c4" || slices.Max(c.members[:]) >= "c4" {
			c.kind, c.members = edsKind, [2]string{}
		}
	}
	w.clusters[name] = c
	if service := c.service(); service != "" {
		if _, ok := w.endpoints[service]; !ok {
			w.endpoints[service] = endpointsSpec{name: service, revision: random.IntN(3)}
		}
	}
	return fmt.Sprintf("%s of kind %d, bad=%t", name, c.kind, c.bad)
}

// service returns the name of the cluster's load assignment.
func (c clusterSpec) service() string {
	switch c.kind {
	case edsKind, slowKind, secretKind:
		return c.name
	case sharedKind:
		return "shared"
	}
	return ""
}

// swap replaces one cluster by another, and points to that what pointed to it.
func (w *world) swap(random *rand.Rand) string {
	from := w.anyCluster(random)
	added := w.addCluster(random)
	to := added[:2]
	if from == to || from == "" {
		return "change cluster " + added
	}
	redirect := func(name string) string {
		if name == from {
			return to
		}
		return name
	}
	for name, t := range w.tables {
		t.routes = t.routes.each(redirect)
		w.tables[name] = t
	}
	for name, l := range w.listeners {
		l.routes, l.cluster = l.routes.each(redirect), redirect(l.cluster)
		w.listeners[name] = l
	}
	delete(w.clusters, from)
	return "swap " + from + " for " + added
}

func (r routes) each(change func(string) string) routes {
	for i, cluster := range r {
		r[i] = change(cluster)
	}
	return r
}

func (w *world) changeCluster(random *rand.Rand) string {
	name := w.anyCluster(random)
	if name == "" {
		return "nothing"
	}
	c := w.clusters[name]
	c.revision, c.bad = random.IntN(3), random.IntN(8) == 0
	w.clusters[name] = c
	return fmt.Sprintf("change cluster %s, bad=%t", name, c.bad)
}

// removeCluster leaves dangling references.
func (w *world) removeCluster(random *rand.Rand) string {
	name := w.anyCluster(random)
	delete(w.clusters, name)
	return "remove cluster " + name
}

func (w *world) changeEndpoints(random *rand.Rand) string {
	name := anyOf(random, w.endpoints)
	if name == "" {
		return "nothing"
	}
	if random.IntN(6) == 0 {
		delete(w.endpoints, name)
		return "remove endpoints " + name
	}
	w.endpoints[name] = endpointsSpec{name: name, revision: random.IntN(3), bad: random.IntN(8) == 0}
	return "change endpoints " + name
}

func (w *world) changeTable(random *rand.Rand) string {
	name := fmt.Sprintf("r%d", random.IntN(3))
	t := w.tables[name]
	t.name = name
	switch random.IntN(6) {
	case 0:
		t.override = !t.override
	case 1:
		t.bad = !t.bad && random.IntN(3) == 0
	case 2:
		delete(w.tables, name)
		return "remove table " + name
	default:
		t.routes[random.IntN(len(t.routes))] = w.anyCluster(random)
	}
	w.tables[name] = t
	return "change table " + name
}

func (w *world) changeListener(random *rand.Rand) string {
	name := fmt.Sprintf("l%d", random.IntN(3))
	l, ok := w.listeners[name]
	l.name = name
	switch p := random.IntN(8); {
	case ok && p == 0:
		delete(w.listeners, name)
		return "remove listener " + name
	case ok && p == 1:
		l.revision = random.IntN(3)
		l.bad = random.IntN(4) == 0
	case ok && p < 4: // the filter, together with its config for single routes
		l.filter = !l.filter
		if t, ok := w.tables[l.table]; ok && random.IntN(3) > 0 {
			t.override = l.filter
			w.tables[l.table] = t
		}
	default:
		l.kind = random.IntN(3)
		l.table = fmt.Sprintf("r%d", random.IntN(3))
		l.cluster = w.anyCluster(random)
		l.routes[random.IntN(len(l.routes))] = w.anyCluster(random)
		if l.kind == tcpKind && l.cluster == "" {
			l.kind = rdsKind
		}
	}
	w.listeners[name] = l
	return fmt.Sprintf("listener %s of kind %d, table %s, cluster %s, bad=%t", name, l.kind, l.table, l.cluster, l.bad)
}

// library makes each resource once, and knows what a proxy reads in it.
type library struct {
	t         *testing.T
	resources map[any]cache.Resource
	meanings  map[cache.Version]meaning
}

func newLibrary(t *testing.T) *library {
	t.Helper()
	return &library{t: t, resources: map[any]cache.Resource{}, meanings: map[cache.Version]meaning{}}
}

func (b *library) get(spec any, message func() proto.Message) cache.Resource {
	r, ok := b.resources[spec]
	if !ok {
		r = resource(b.t, message())
		b.resources[spec] = r
	}
	return r
}

// snapshot returns the world as proxies are to see it.
func (b *library) snapshot(w *world, previous *cache.Snapshot) *cache.Snapshot {
	var all []cache.Resource
	for _, c := range w.clusters {
		all = append(all, b.get(c, func() proto.Message { return c.message(b.t) }))
	}
	for _, e := range w.endpoints {
		all = append(all, b.get(e, e.message))
	}
	for _, s := range w.secrets {
		all = append(all, b.get(s, func() proto.Message { return secret(s.name, s.revision) }))
	}
	for _, r := range w.tables {
		all = append(all, b.get(r, func() proto.Message { return r.message(b.t) }))
	}
	for _, l := range w.listeners {
		all = append(all, b.get(l, func() proto.Message { return l.message(b.t) }))
	}
	s, err := cache.Build(all, cache.Options{AfterInputs: true, Previous: previous})
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

func (c clusterSpec) message(t *testing.T) proto.Message {
	t.Helper()
	m := staticCluster(c.name, c.revision)
	switch c.kind {
	case edsKind, sharedKind:
		m = edsCluster(c.name, c.service(), c.revision)
	case slowKind:
		m = healthChecked(edsCluster(c.name, c.service(), c.revision))
	case slowStaticKind:
		m = healthChecked(m)
	case secretKind:
		m = withSecret(t, edsCluster(c.name, c.service(), c.revision), "s")
	case aggregateKind:
		m = aggregateCluster(t, c.name, c.revision, c.members[:]...)
	}
	if c.bad {
		m.AltStatName = rotten
	}
	return m
}

func (e endpointsSpec) message() proto.Message {
	m := assignment(e.name, e.revision)
	if e.bad {
		m.Endpoints[0].Priority = rottenPriority
	}
	return m
}

func (s tableSpec) message(t *testing.T) proto.Message {
	t.Helper()
	m := table(s.name, s.routes.pairs()...)
	if s.override {
		overriding(t, m, httpFilter)
	}
	if s.bad {
		m.InternalOnlyHeaders = []string{rotten}
	}
	return m
}

func (r routes) pairs() []string {
	var pairs []string
	for i, cluster := range r {
		if cluster != "" {
			pairs = append(pairs, fmt.Sprintf("/%d", i), cluster)
		}
	}
	return pairs
}

func (s listenerSpec) message(t *testing.T) proto.Message {
	t.Helper()
	var filters []string
	if s.filter {
		filters = []string{httpFilter}
	}
	m := rdsListener(t, s.name, s.table, filters...)
	switch s.kind {
	case inlineKind:
		m = inlineListener(t, s.name, table("inline", s.routes.pairs()...))
	case tcpKind:
		m = tcpListener(t, s.name, s.cluster)
	}
	m.StatPrefix = fmt.Sprint(s.revision)
	if s.bad {
		m.StatPrefix = rotten
	}
	return m
}
