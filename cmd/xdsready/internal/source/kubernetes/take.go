package kubernetes

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/source"
	"github.com/xdsready/xdsready/pkg/cache"
)

// startConfirmTimeout bounds how long the first update waits until what is
// missing in it has been confirmed to be absent.
const startConfirmTimeout = 5 * time.Second

// Changed returns a channel that receives when [Source.Take] may have something
// to give.
func (s *Source) Changed() <-chan struct{} { return s.changes.wake }

// Take returns what has changed since the call before. The first call is made
// when all checks are synced, and then tells of all node groups; it waits, at
// most 5 s, until the API server has confirmed that what is missing is absent.
// Confirmations go on between the calls, until ctx ends.
func (s *Source) Take(ctx context.Context) source.Update {
	if !s.begun {
		s.changes.noteAll()
	}
	t := s.apply(ctx)
	if !s.begun {
		s.begun = true
		s.confirmAll(ctx, t)
	}
	update := source.Update{Groups: map[string]source.Group{}, Faults: map[string]error{}}
	for key := range t.assemble {
		delete(t.refresh, key)
		s.assemble(key, &update)
	}
	for key, services := range t.refresh {
		if g := s.model.groups[key]; g != nil {
			s.refresh(key, g, services, &update)
		}
	}
	if len(t.assemble) > 0 {
		s.model.backends.keep(func(service types.NamespacedName) bool { return len(s.model.byService[service]) > 0 })
	}
	return update
}

// apply works in what has changed.
func (s *Source) apply(ctx context.Context) touched {
	c := s.changes.take()
	s.noteClasses(c.classes)
	s.statuses.recheck(c.routes)
	return s.model.apply(ctx, c)
}

// confirmAll waits until no route is left out because something it refers to
// may be absent or only late.
func (s *Source) confirmAll(ctx context.Context, t touched) {
	expired := time.NewTimer(startConfirmTimeout)
	defer expired.Stop()
	for s.model.waiting() > 0 {
		select {
		case <-s.changes.wake:
			t.join(s.apply(ctx))
		case <-expired.C:
			s.logger.Warn("cannot confirm in time what is absent: the start goes on with what is known", "routes", s.model.waiting())
			t.join(s.model.giveUp(ctx))
		case <-ctx.Done():
			return
		}
	}
}

// assemble puts a group together and adds it to the update.
func (s *Source) assemble(key types.NamespacedName, update *source.Update) {
	before := s.model.groups[key]
	g, err := s.model.assemble(key)
	switch {
	case err != nil:
		update.Faults[key.String()] = err
	case g != nil:
		s.fill(key, g, update)
	case before != nil:
		update.Removed = append(update.Removed, key.String())
		s.statuses.forget(key)
	}
}

// fill adds a group's resources, and tells its status.
func (s *Source) fill(key types.NamespacedName, g *group, update *source.Update) {
	resources, err := s.model.resources(g)
	if err != nil {
		update.Faults[key.String()] = err
		return
	}
	update.Groups[key.String()] = source.Whole(resources)
	s.statuses.tell(key, g.gateway, g.plan, s.model.problems(g))
}

// refresh adds what has become of some of a group's Services.
func (s *Source) refresh(key types.NamespacedName, g *group, services keys, update *source.Update) {
	changed, faulty, err := s.model.changed(g, services)
	if err != nil {
		update.Faults[key.String()] = err
		return
	}
	update.Groups[key.String()] = source.Group{
		Changed: changed, Resources: func() ([]cache.Resource, error) { return s.model.resources(g) },
	}
	if faulty {
		s.statuses.tell(key, g.gateway, g.plan, s.model.problems(g))
	}
}

// noteClasses says which GatewayClasses are ours.
func (s *Source) noteClasses(classes keys) {
	for key := range classes {
		class := value(s.inputs.classes.objects.GetKey(key.Name))
		if class != nil && string(class.Spec.ControllerName) == s.options.Controller {
			s.statuses.tellClass(class)
		}
	}
}
