package kubernetes

import (
	"context"
	"errors"
	"log/slog"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/gatewayapi"
)

const (
	// confirmTimeout ends a confirmation that the API server does not answer, or
	// that finds what never arrives: the reference then counts as dangling.
	confirmTimeout = 20 * time.Second
	// maxConfirming bounds the requests under way.
	maxConfirming = 16
)

// confirmer asks the API server whether what a route refers to and no input has
// shown is really absent. The watches of two kinds are not in step: a Service
// that was created before a route to it may arrive after the route.
type confirmer struct {
	live   client.Reader
	answer func(answer)
	logger *slog.Logger

	slots chan struct{} // held during a request
}

// answer says which absences of a route are known to be so.
type answer struct {
	route  *gatewayapi.Route
	absent []gatewayapi.Absence
}

// start begins a confirmation and returns what ends it. One answer tells the
// absences that are confirmed; what does exist will arrive by its watch, and
// only if it does not before the deadline a second answer gives it up.
func (c *confirmer) start(ctx context.Context, route *gatewayapi.Route, absences []gatewayapi.Absence, deadline time.Time) context.CancelFunc {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	go func() { // ends with ctx
		var absent, exist []gatewayapi.Absence
		for _, a := range absences {
			if c.confirm(ctx, a) {
				absent = append(absent, a)
			} else {
				exist = append(exist, a)
			}
		}
		if len(absent) > 0 {
			c.answer(answer{route: route, absent: absent})
		}
		if len(exist) == 0 {
			return
		}
		<-ctx.Done()
		if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
			c.logger.Warn("what a route refers to exists but has not arrived: the route goes on without it",
				"route", route.Key().String(), "missing", exist)
			c.answer(answer{route: route, absent: exist})
		}
	}()
	return cancel
}

// confirm reports whether the API server says that it is absent, and false if
// it exists or nothing can be learned until ctx ends.
func (c *confirmer) confirm(ctx context.Context, a gatewayapi.Absence) bool {
	for backoff := retry; ; pause(ctx, backoff.Step()) {
		select {
		case c.slots <- struct{}{}:
		case <-ctx.Done():
			return false
		}
		absent, err := c.ask(ctx, a)
		<-c.slots
		if err == nil {
			return absent
		}
		if ctx.Err() != nil {
			return false
		}
		c.logger.Warn("cannot confirm that what a route refers to is absent", "missing", a.String(), "error", err)
	}
}

func (c *confirmer) ask(ctx context.Context, a gatewayapi.Absence) (absent bool, err error) {
	switch a.Kind {
	case gatewayapi.AbsentService:
		err := c.live.Get(ctx, a.Object, &corev1.Service{})
		return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
	case gatewayapi.AbsentPort:
		service := &corev1.Service{}
		err := c.live.Get(ctx, a.Object, service)
		return err != nil || !gatewayapi.Backend{Service: service, Port: a.Port}.Exists(), client.IgnoreNotFound(err)
	case gatewayapi.AbsentEndpointSlices:
		var slices discoveryv1.EndpointSliceList
		err := c.live.List(ctx, &slices, client.InNamespace(a.Object.Namespace), client.Limit(1),
			client.MatchingLabels{discoveryv1.LabelServiceName: a.Object.Name})
		return len(slices.Items) == 0, err
	case gatewayapi.AbsentReferenceGrant:
		var grants gatewayv1beta1.ReferenceGrantList
		if err := c.live.List(ctx, &grants, client.InNamespace(a.Object.Namespace)); err != nil {
			return true, client.IgnoreNotFound(err)
		}
		return !gatewayapi.Permits(grants.Items, a), nil
	}
	return true, nil
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
