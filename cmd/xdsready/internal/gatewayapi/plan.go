package gatewayapi

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/xdsready/xdsready/pkg/cache"
)

// Plan is what a Gateway comes to: the config of its node group and the status
// of all that took part.
type Plan struct {
	// Resources are listeners, route configurations and secrets. Clusters and
	// load assignments are the caller's to add, from Backends.
	Resources []cache.Resource
	// Backends are those of the attached routes, sorted by name.
	Backends []Backend
	// Gateway is the status without the times of transitions and the addresses.
	Gateway gatewayv1.GatewayStatus
	// Routes has an entry for each parentRef to this Gateway, in the order of the
	// route, without the times of transitions and the name of the controller.
	Routes map[types.NamespacedName][]gatewayv1.RouteParentStatus

	certificates map[gatewayv1.SectionName][]*corev1.Secret // with which each listener is served
}

// assembly is a Plan in the making.
type assembly struct {
	gateway *Gateway
	world   World
	last    *Plan // nil: none
	plan    *Plan
	sites   []*site
}

// site is a listener with what is attached to it.
type site struct {
	*listener
	routes       []attachment
	certificates []*corev1.Secret
	refs         fault // of routes' kinds and certificates
	usable       bool  // traffic is served
}

// attachment is a route that a listener serves.
type attachment struct {
	*Resolution
	hosts []host
}

// Assemble joins a Gateway and the routes that name it, in any order, into the
// resources of its node group and into status. last is what it was before, nil at
// first: a listener whose certificate is gone or damaged keeps the good one that
// it was served with. The error is one of encoding.
func (g *Gateway) Assemble(routes []*Resolution, w World, last *Plan) (*Plan, error) {
	a := &assembly{gateway: g, world: w, last: last, plan: &Plan{certificates: map[gatewayv1.SectionName][]*corev1.Secret{}}}
	for _, l := range g.listeners {
		a.sites = append(a.sites, a.newSite(l))
	}
	a.attach(routes)
	a.plan.Gateway = a.gatewayStatus()
	a.plan.Backends = a.backends()
	if err := a.addResources(); err != nil {
		return nil, err
	}
	return a.plan, nil
}

// newSite looks up the certificates of a listener. One that is bad does not keep
// the others from being served.
func (a *assembly) newSite(l *listener) *site {
	s := &site{listener: l, refs: l.refs, usable: a.gateway.fault.none() && l.accepted.none()}
	if !l.secure() {
		return s
	}
	var faults []fault
	for _, c := range a.gateway.certificates(l, a.world) {
		if c.fault.none() {
			s.certificates = append(s.certificates, c.secret)
		} else {
			faults = append(faults, c.fault)
		}
	}
	if !l.refs.none() {
		faults = append(faults, l.refs)
	}
	s.refs = join(faults)
	if len(s.certificates) == 0 {
		s.certificates = a.lastGood(l)
	}
	s.usable = s.usable && len(s.certificates) > 0
	if s.usable {
		a.plan.certificates[l.spec.Name] = s.certificates
	}
	return s
}

// lastGood returns the certificates that a listener was served with. One in
// another namespace has to be permitted still.
func (a *assembly) lastGood(l *listener) []*corev1.Secret {
	if a.last == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(a.last.certificates[l.spec.Name]), func(s *corev1.Secret) bool {
		key := types.NamespacedName{Namespace: s.Namespace, Name: s.Name}
		return !toSecret(a.gateway.Object.Namespace, key).permitted(a.world)
	})
}

// backends returns what the routes of the usable listeners use.
func (a *assembly) backends() []Backend {
	used := make(map[string]Backend)
	for _, s := range a.sites {
		if !s.usable {
			continue
		}
		for _, r := range s.routes {
			for _, b := range r.Backends() {
				used[b.Name()] = b
			}
		}
	}
	return slices.SortedFunc(maps.Values(used), compareBackends)
}

// addResources adds the listeners of all ports, their route configurations and
// their secrets.
func (a *assembly) addResources() error {
	secrets := make(map[string]*corev1.Secret)
	for _, p := range a.ports() {
		if err := a.add(p.listener()); err != nil {
			return err
		}
		for _, table := range p.tables() {
			if err := a.add(table, nil); err != nil {
				return err
			}
		}
		for _, s := range p.usable {
			for _, secret := range s.certificates {
				secrets[secretName(secret)] = secret
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		if err := a.add(newSecret(secrets[name]), nil); err != nil {
			return err
		}
	}
	return nil
}

// add adds a resource made by a function that may fail.
func (a *assembly) add(m message, err error) error {
	if err != nil {
		return err
	}
	r, err := newResource(m)
	if err != nil {
		return err
	}
	a.plan.Resources = append(a.plan.Resources, r)
	return nil
}
