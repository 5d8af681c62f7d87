package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	gatewayclient "sigs.k8s.io/gateway-api/pkg/client/clientset/versioned"
)

// size is how many objects there are.
type size struct{ services, routes int }

// filled is an API server that has all objects.
type filled struct {
	size     size
	core     *kubernetes.Clientset // speaks protobuf, for the API server's sake
	gateways *gatewayclient.Clientset
	replaced atomic.Int64 // endpoints so far
}

// fill creates all objects.
func fill(ctx context.Context, config *rest.Config, s size) (*filled, error) {
	if s.routes%teams != 0 {
		return nil, fmt.Errorf("%d routes do not go into %d namespaces", s.routes, teams)
	}
	f := &filled{size: s}
	var err error
	if f.gateways, err = gatewayclient.NewForConfig(config); err != nil {
		return nil, err
	}
	config = rest.CopyConfig(config)
	config.ContentType = runtime.ContentTypeProtobuf
	if f.core, err = kubernetes.NewForConfig(config); err != nil {
		return nil, err
	}
	for _, step := range f.steps() {
		if err := inParallel(ctx, step.count, step.create); err != nil {
			return nil, fmt.Errorf("%s: %w", step.what, err)
		}
	}
	return f, nil
}

// step creates objects of a kind.
type step struct {
	what   string
	count  int
	create func(ctx context.Context, i int) error
}

// steps create what is referred to first.
func (f *filled) steps() []step {
	var create metav1.CreateOptions
	namespaces, gateways := f.core.CoreV1().Namespaces(), f.gateways.GatewayV1()
	return []step{
		{"namespaces", teams, func(ctx context.Context, i int) error {
			_, err := namespaces.Create(ctx, newNamespace(teamName(i)), create)
			return err
		}},
		{"Gateway", 1, func(ctx context.Context, _ int) error {
			_, ofNamespace := namespaces.Create(ctx, newNamespace(gatewayNamespace), create)
			_, ofClass := gateways.GatewayClasses().Create(ctx, newClass(), create)
			_, ofGateway := gateways.Gateways(gatewayNamespace).Create(ctx, newGateway(), create)
			return errors.Join(ofNamespace, ofClass, ofGateway)
		}},
		{"Services", f.size.services, func(ctx context.Context, i int) error {
			service := newService(i)
			_, err := f.core.CoreV1().Services(service.Namespace).Create(ctx, service, create)
			return err
		}},
		{"EndpointSlices", f.size.services, func(ctx context.Context, i int) error {
			slice := newSlice(i)
			_, err := f.core.DiscoveryV1().EndpointSlices(slice.Namespace).Create(ctx, slice, create)
			return err
		}},
		{"HTTPRoutes", f.size.routes, func(ctx context.Context, i int) error {
			route := newRoute(i, f.size)
			_, err := gateways.HTTPRoutes(route.Namespace).Create(ctx, route, create)
			return err
		}},
	}
}

// workers is how many requests are made at a time.
const workers = 16

// inParallel calls do with each number below n until one call fails.
func inParallel(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var working sync.WaitGroup
	for range workers {
		working.Go(func() {
			for i := next.Add(1) - 1; i < int64(n) && ctx.Err() == nil; i = next.Add(1) - 1 {
				if err := do(ctx, int(i)); err != nil {
					cancel(err)
				}
			}
		})
	}
	working.Wait()
	return context.Cause(ctx)
}
