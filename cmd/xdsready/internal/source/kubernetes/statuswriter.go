package kubernetes

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// electionID is the name of the Lease.
const electionID = "xdsready-status"

// writeRetry is the pause after a status could not be written.
const writeRetry = time.Second

// writeStatuses has the elected replica, which is a ready one, write statuses
// until ctx ends: a start has better things to do. A lost election, as in an
// outage of the API server, ends a manager for good, and with it nothing but the
// writing: proxies are served on.
func (s *Source) writeStatuses(ctx context.Context) {
	if s.options.Ready(ctx) != nil {
		return
	}
	for ctx.Err() == nil {
		if err := s.lead(ctx); err != nil && ctx.Err() == nil {
			s.logger.Warn("status is not written for now", "error", err)
			pause(ctx, writeRetry)
		}
	}
}

// lead runs a manager of controller-runtime, which elects, until ctx ends or the
// election is lost. Its client is ours: its own would start informers for all
// that krt has listed already, and its cache starts none unless asked.
func (s *Source) lead(ctx context.Context) error {
	m, err := manager.New(s.config, manager.Options{
		Scheme:                        scheme,
		MapperProvider:                func(*rest.Config, *http.Client) (meta.RESTMapper, error) { return mapper, nil },
		NewClient:                     func(*rest.Config, client.Options) (client.Client, error) { return s.live, nil },
		Metrics:                       metricsserver.Options{BindAddress: "0"},
		LeaderElection:                s.options.ElectionNamespace != "",
		LeaderElectionNamespace:       s.options.ElectionNamespace,
		LeaderElectionID:              electionID,
		LeaderElectionReleaseOnCancel: true,
	})
	if err != nil {
		return err
	}
	if err := m.Add(manager.RunnableFunc(s.write)); err != nil {
		return err
	}
	return m.Start(ctx)
}

// write writes statuses until ctx ends.
func (s *Source) write(ctx context.Context) error {
	s.statuses.markAll()
	for {
		select {
		case <-s.statuses.wake:
		case <-ctx.Done():
			return nil
		}
		failed := false
		for _, of := range s.statuses.take() {
			if err := s.writeOne(ctx, of); err != nil && ctx.Err() == nil {
				if !apierrors.IsConflict(err) { // a conflict: our copy is not the newest yet
					s.logger.Warn("cannot write status", "kind", of.kind, "object", of.key.String(), "error", err)
				}
				s.statuses.again(of)
				failed = true
			}
		}
		if failed {
			pause(ctx, writeRetry)
		}
	}
}

func (s *Source) writeOne(ctx context.Context, of statusOf) error {
	s.statuses.mu.Lock()
	class, parents := s.statuses.classes[of.key], s.statuses.parents(of.key)
	gateway, ours := s.statuses.gateways[of.key]
	s.statuses.mu.Unlock()
	controller := gatewayv1.GatewayController(s.options.Controller)
	switch of.kind {
	case "GatewayClass":
		return writeStatus(ctx, s.live, s.inputs.classes, of.key, func(c *gatewayv1.GatewayClass) {
			c.Status.Conditions = merge(c.Status.Conditions, class.Conditions)
		})
	case "Gateway":
		if !ours {
			return nil // it was handed to another controller meanwhile
		}
		return writeStatus(ctx, s.live, s.inputs.gateways, of.key, func(g *gatewayv1.Gateway) {
			g.Status = mergeGateway(g.Status, gateway.status)
		})
	default:
		return writeStatus(ctx, s.live, s.inputs.routes, of.key, func(r *gatewayv1.HTTPRoute) {
			r.Status.Parents = mergeParents(r.Status.Parents, parents, controller)
		})
	}
}

// writeStatus changes the status of an object if that makes a difference.
func writeStatus[T object](ctx context.Context, to client.Client, in *input[T], key types.NamespacedName, change func(T)) error {
	name := key.Name
	if key.Namespace != "" {
		name = key.String()
	}
	found := in.objects.GetKey(name)
	if found == nil {
		return nil
	}
	current := *found
	updated, ok := current.DeepCopyObject().(T)
	if !ok {
		return fmt.Errorf("the copy of a %T is another type", current)
	}
	change(updated)
	if equality.Semantic.DeepEqual(current, updated) {
		return nil
	}
	return client.IgnoreNotFound(to.Status().Patch(ctx, updated,
		client.MergeFromWithOptions(current, client.MergeFromWithOptimisticLock{})))
}

// merge returns the conditions as they should be, each with the time since when
// it has its status, and keeps those of others.
func merge(current, desired []metav1.Condition) []metav1.Condition {
	merged := append([]metav1.Condition{}, current...)
	for _, c := range desired {
		meta.SetStatusCondition(&merged, c)
	}
	return merged
}

// mergeGateway returns the status that a Gateway should have.
func mergeGateway(current, desired gatewayv1.GatewayStatus) gatewayv1.GatewayStatus {
	current.Conditions = merge(current.Conditions, desired.Conditions)
	listeners := make([]gatewayv1.ListenerStatus, len(desired.Listeners))
	for i, l := range desired.Listeners {
		var before []metav1.Condition
		for _, c := range current.Listeners {
			if c.Name == l.Name {
				before = c.Conditions
			}
		}
		l.Conditions = replace(before, l.Conditions)
		listeners[i] = l
	}
	current.Listeners = listeners
	return current
}

// mergeParents returns what a route's status should say of its parents. The
// entries of other controllers stay, and all stay in their places: if each
// controller put its own last, two of them would write for ever.
func mergeParents(current, desired []gatewayv1.RouteParentStatus, controller gatewayv1.GatewayController) []gatewayv1.RouteParentStatus {
	desired = slices.Clone(desired)
	var merged []gatewayv1.RouteParentStatus
	for _, p := range current {
		if p.ControllerName != controller {
			merged = append(merged, p)
			continue
		}
		i := slices.IndexFunc(desired, func(d gatewayv1.RouteParentStatus) bool {
			return equality.Semantic.DeepEqual(d.ParentRef, p.ParentRef)
		})
		if i >= 0 {
			p.Conditions = replace(p.Conditions, desired[i].Conditions)
			merged = append(merged, p)
			desired = slices.Delete(desired, i, i+1)
		}
	}
	for _, p := range desired {
		p.ControllerName, p.Conditions = controller, replace(nil, p.Conditions)
		merged = append(merged, p)
	}
	return merged
}

// replace returns the desired conditions alone, each with the time since when it
// has its status.
func replace(current, desired []metav1.Condition) []metav1.Condition {
	var replaced []metav1.Condition
	for _, c := range desired {
		if before := meta.FindStatusCondition(current, c.Type); before != nil {
			replaced = append(replaced, *before)
		}
		meta.SetStatusCondition(&replaced, c)
	}
	return replaced
}
