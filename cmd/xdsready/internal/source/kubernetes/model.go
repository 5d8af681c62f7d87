package kubernetes

import (
	"context"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/gatewayapi"
	"github.com/xdsready/xdsready/pkg/cache"
)

// model is what the snapshots were last made of, so that a change costs what it
// touches: an EndpointSlice its Service's load assignment, a route its own
// resolution and its Gateways' route tables. One goroutine at a time uses it.
//
// The function from the cluster's objects to a node group's resources is
//
//	Gateway, routes ──Resolve──▶ Resolutions ──Assemble──▶ Plan ──Backends──▶ clusters, endpoints
//	                     ▲                        ▲                              ▲
//	            Services, grants        Secrets, Namespaces               EndpointSlices
//
// and reads from left to right: what refers before what is referred to.
type model struct {
	world       world
	collections *collections
	confirmer   *confirmer
	trusting    bool // takes absences as they are, unconfirmed

	attachments map[types.NamespacedName]*attachment
	byGateway   index // routes in use, by their parents
	byService   index // routes, in use or the newest, by what they refer to
	byNamespace map[string]keys

	groups   map[types.NamespacedName]*group
	backends backends
}

// group is one node group: a Gateway of ours.
type group struct {
	gateway  *gatewayapi.Gateway
	plan     *gatewayapi.Plan
	backends map[types.NamespacedName][]gatewayapi.Backend // of the plan, by Service
}

// index says which objects another one concerns.
type index map[types.NamespacedName]keys

func (i index) add(of []types.NamespacedName, key types.NamespacedName) {
	for _, o := range of {
		if i[o] == nil {
			i[o] = keys{}
		}
		i[o].add(key)
	}
}

func (i index) remove(of []types.NamespacedName, key types.NamespacedName) {
	for _, o := range of {
		delete(i[o], key)
		if len(i[o]) == 0 {
			delete(i, o)
		}
	}
}

func newModel(w world, c *confirmer) *model {
	return &model{
		world: w, collections: w.collections, confirmer: c,
		attachments: map[types.NamespacedName]*attachment{}, byGateway: index{}, byService: index{},
		byNamespace: map[string]keys{}, groups: map[types.NamespacedName]*group{}, backends: newBackends(),
	}
}

// touched is what a look at the changes found to be done.
type touched struct {
	assemble keys  // groups whose routes, listeners or secrets may differ
	refresh  index // groups of which only endpoints may, with their Services
}

// join adds what other touches.
func (t touched) join(other touched) {
	maps.Copy(t.assemble, other.assemble)
	for group, services := range other.refresh {
		for service := range services {
			t.refresh.add([]types.NamespacedName{group}, service)
		}
	}
}

// apply works changes in and says which groups they touch. Confirmations that it
// begins end with ctx.
func (m *model) apply(ctx context.Context, c changed) touched {
	t := touched{keys{}, index{}}
	maps.Copy(t.assemble, c.gateways)
	m.noteSecrets(c, t)
	again := keys{} // routes to resolve
	maps.Copy(again, c.routes)
	for namespace := range c.grants {
		maps.Copy(again, m.byNamespace[namespace.Namespace])
	}
	for service := range c.services {
		m.backends.drop(service)
		maps.Copy(again, m.byService[service])
	}
	for service := range c.slices {
		m.backends.dropEndpoints(service)
		m.noteEndpoints(service, again, t)
	}
	for _, answer := range c.answers {
		if a := m.attachments[answer.route.Key()]; a != nil && a.learn(answer) {
			again.add(answer.route.Key())
		}
	}
	for route := range again {
		m.resolve(ctx, route, t)
	}
	return t
}

// noteSecrets finds the Gateways whose listeners depend on what changed besides
// themselves and their routes.
func (m *model) noteSecrets(c changed, t touched) {
	for key, g := range m.groups {
		if len(c.namespaces) > 0 {
			t.assemble.add(key) // which routes may attach depends on labels
		}
		for _, secret := range g.gateway.Secrets() {
			if c.secrets.has(secret) || c.hasGrantIn(secret.Namespace) {
				t.assemble.add(key)
			}
		}
	}
}

func (c changed) hasGrantIn(namespace string) bool {
	for grant := range c.grants {
		if grant.Namespace == namespace {
			return true
		}
	}
	return false
}

// noteEndpoints finds what a change of a Service's EndpointSlices touches. A
// route is resolved again only if it may have waited for them.
func (m *model) noteEndpoints(service types.NamespacedName, again keys, t touched) {
	for route := range m.byService[service] {
		a := m.attachments[route]
		if a.next != nil {
			again.add(route)
		}
		switch {
		case a.used == nil:
		case m.backends.faulty.has(service):
			t.touch(a.used) // the status of its routes may differ as well
		default:
			t.refresh.add(a.used.Route.Gateways(), service)
		}
	}
}

// resolve looks up again what a route refers to.
func (m *model) resolve(ctx context.Context, key types.NamespacedName, t touched) {
	a := m.attachments[key]
	if a == nil {
		a = &attachment{}
		m.attachments[key] = a
	}
	before := a.used
	m.unlink(key, a)
	defer m.link(key, a)
	route := value(m.collections.routes.GetKey(key.String()))
	if route == nil {
		a.end()
		a.used, a.next = nil, nil
		delete(m.attachments, key)
		t.touch(before)
		return
	}
	if m.consider(ctx, a, route.Resolve(m.world)) {
		t.touch(before)
		t.touch(a.used)
	}
}

// touch adds the Gateways of a route.
func (t touched) touch(r *gatewayapi.Resolution) {
	if r != nil {
		for _, gateway := range r.Route.Gateways() {
			t.assemble.add(gateway)
		}
	}
}

// link enters a route into the indexes, and unlink takes it out.
func (m *model) link(key types.NamespacedName, a *attachment) {
	if a.used != nil {
		m.byGateway.add(a.used.Route.Gateways(), key)
	}
	for _, route := range a.routes() {
		m.byService.add(route.Services(), key)
		for _, namespace := range route.BackendNamespaces() {
			if m.byNamespace[namespace] == nil {
				m.byNamespace[namespace] = keys{}
			}
			m.byNamespace[namespace].add(key)
		}
	}
}

func (m *model) unlink(key types.NamespacedName, a *attachment) {
	if a.used != nil {
		m.byGateway.remove(a.used.Route.Gateways(), key)
	}
	for _, route := range a.routes() {
		m.byService.remove(route.Services(), key)
		for _, namespace := range route.BackendNamespaces() {
			delete(m.byNamespace[namespace], key)
			if len(m.byNamespace[namespace]) == 0 {
				delete(m.byNamespace, namespace)
			}
		}
	}
}

// waiting returns how many routes wait for a confirmation and have nothing
// older to show meanwhile.
func (m *model) waiting() int {
	waiting := 0
	for _, a := range m.attachments {
		if a.used == nil && a.next != nil {
			waiting++
		}
	}
	return waiting
}

// giveUp takes all absences that are not confirmed yet as they are.
func (m *model) giveUp(ctx context.Context) touched {
	t := touched{keys{}, index{}}
	m.trusting = true
	defer func() { m.trusting = false }()
	for key, a := range m.attachments {
		if a.next != nil {
			m.resolve(ctx, key, t)
		}
	}
	return t
}

// assemble puts a group together. It returns nil if there is no such Gateway
// of ours.
func (m *model) assemble(key types.NamespacedName) (*group, error) {
	gateway := value(m.collections.gateways.GetKey(key.String()))
	if gateway == nil {
		delete(m.groups, key)
		return nil, nil
	}
	var routes []*gatewayapi.Resolution
	for route := range m.byGateway[key] {
		routes = append(routes, m.attachments[route].used)
	}
	var last *gatewayapi.Plan
	if g := m.groups[key]; g != nil {
		last = g.plan
	}
	plan, err := gateway.Assemble(routes, m.world, last)
	if err != nil {
		return nil, err
	}
	g := &group{gateway, plan, map[types.NamespacedName][]gatewayapi.Backend{}}
	for _, b := range plan.Backends {
		service := keyOf(b.Service)
		g.backends[service] = append(g.backends[service], b)
	}
	m.groups[key] = g
	return g, nil
}

// resources returns all resources of a group.
func (m *model) resources(g *group) ([]cache.Resource, error) {
	made, err := m.backends.getAll(g.plan.Backends, m.world)
	if err != nil {
		return nil, err
	}
	var clusters, endpoints []cache.Resource
	for i, b := range g.plan.Backends {
		clusters = append(clusters, made[i].cluster)
		if !b.External() {
			endpoints = append(endpoints, made[i].endpoints)
		}
	}
	return slices.Concat(clusters, endpoints, g.plan.Resources), nil
}

// changed returns what the backends of some Services have become, and whether
// anything is wrong with their endpoints now. Before, nothing was.
func (m *model) changed(g *group, services keys) (changed []cache.Resource, faulty bool, err error) {
	changed = []cache.Resource{}
	for service := range services {
		for _, b := range g.backends[service] {
			built, err := m.backends.get(b, m.world)
			if err != nil {
				return nil, false, err
			}
			faulty = faulty || len(built.problems) > 0
			if !b.External() {
				changed = append(changed, built.endpoints)
			}
		}
	}
	return changed, faulty, nil
}

// problems returns what is wrong with the endpoints of the routes' backends, by
// route; always in the same order, since it becomes status.
func (m *model) problems(g *group) map[types.NamespacedName][]string {
	problems := map[types.NamespacedName][]string{}
	for service := range m.backends.faulty {
		for _, b := range g.backends[service] {
			for route := range m.byService[service] {
				problems[route] = append(problems[route], m.backends.problems(b)...)
			}
		}
	}
	for route, list := range problems {
		slices.Sort(list)
		problems[route] = slices.Compact(list) // each port of a Service has those of its slices
	}
	return problems
}
