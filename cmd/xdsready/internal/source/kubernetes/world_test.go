package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"
)

// liveWorld is a cluster as the API server knows it. What changes in it goes to
// the watches of a source, each of which is late in its own time; what is read
// from it directly is never old.
type liveWorld struct {
	client.Reader

	seed    uint64
	slowest time.Duration // answer to a direct read
	mute    bool          // direct reads have no answer

	mu       sync.Mutex // guards all below
	revision int
	objects  map[string]object // by kind and key
	since    map[string]int    // by the same: the revision at which what a route asks of it began
	watches  map[string][]func()
}

// The kinds, each with a watch of its own.
const (
	kindRoute   = "HTTPRoute"
	kindGateway = "Gateway"
	kindGrant   = "ReferenceGrant"
	kindService = "Service"
	kindSlice   = "EndpointSlice"
)

func newLiveWorld(seed uint64) *liveWorld {
	return &liveWorld{seed: seed, objects: map[string]object{}, since: map[string]int{}, watches: map[string][]func(){}}
}

func nameIn(kind string, o object) string { return kind + " " + keyOf(o).String() }

// put creates or changes an object, and has the watch of its kind tell the
// input. It returns the revision.
func put[T object](w *liveWorld, in *input[T], kind string, o T) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.revision++
	name := nameIn(kind, o)
	before := w.objects[name]
	o.SetGeneration(1)
	o.SetUID(types.UID(fmt.Sprint(w.revision)))
	if before != nil {
		o.SetGeneration(before.GetGeneration() + 1)
		o.SetUID(before.GetUID())
	}
	o.SetResourceVersion(fmt.Sprint(w.revision))
	w.objects[name] = o
	for asked := range questions(o) {
		if before == nil || !questions(before)[asked] {
			w.since[name+asked] = w.revision
		}
	}
	w.watches[kind] = append(w.watches[kind], func() { in.objects.UpdateObject(o) })
	return w.revision
}

// remove deletes an object likewise.
func remove[T object](w *liveWorld, in *input[T], kind string, o T) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.revision++
	delete(w.objects, nameIn(kind, o))
	w.watches[kind] = append(w.watches[kind], func() { in.objects.DeleteObject(keyOf(o).String()) })
}

// questions are what a route may ask of an object besides whether it is there.
func questions(o object) map[string]bool {
	all := map[string]bool{"": true}
	if s, ok := o.(*corev1.Service); ok {
		for _, port := range s.Spec.Ports {
			all[fmt.Sprint(":", port.Port)] = true
		}
	}
	return all
}

// get returns an object, nil if there is none.
func (w *liveWorld) get(kind string, key types.NamespacedName) object {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.objects[kind+" "+key.String()]
}

// existsSince returns the revision since which an object, or a port of one, is
// there without a break; ok is false if it is not.
func (w *liveWorld) existsSince(kind string, key types.NamespacedName, question string) (revision int, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	name := kind + " " + key.String()
	o := w.objects[name]
	if o == nil || !questions(o)[question] {
		return 0, false
	}
	return w.since[name+question], true
}

// deliver lets the watch of a kind tell its next n changes, and returns how many
// it has not told after that.
func (w *liveWorld) deliver(kind string, n int) (left int) {
	w.mu.Lock()
	n = min(n, len(w.watches[kind]))
	events := w.watches[kind][:n]
	w.watches[kind] = w.watches[kind][n:]
	left = len(w.watches[kind])
	w.mu.Unlock()
	for _, event := range events {
		event()
	}
	return left
}

// late takes as long as an answer takes; it differs from object to object and
// from time to time, and is the same in each run with a seed.
func (w *liveWorld) late(ctx context.Context, what string) error {
	if w.mute {
		<-ctx.Done()
		return ctx.Err()
	}
	hash := fnv.New64()
	_, _ = fmt.Fprint(hash, what, time.Now().UnixNano())
	random := rand.New(rand.NewPCG(w.seed, hash.Sum64()))
	pause(ctx, time.Duration(random.Int64N(int64(w.slowest))))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if random.IntN(5) == 0 {
		return errors.New("the API server is busy")
	}
	return nil
}

// Get implements client.Reader.
func (w *liveWorld) Get(ctx context.Context, key client.ObjectKey, o client.Object, _ ...client.GetOption) error {
	if err := w.late(ctx, key.String()); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	found, ok := w.objects[kindService+" "+key.String()].(*corev1.Service)
	if !ok {
		return apierrors.NewNotFound(schema.GroupResource{Resource: "services"}, key.Name)
	}
	service, ok := o.(*corev1.Service)
	if !ok {
		return fmt.Errorf("a %T cannot be read", o)
	}
	found.DeepCopyInto(service)
	return nil
}

// List implements client.Reader.
func (w *liveWorld) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	o := (&client.ListOptions{}).ApplyOptions(options)
	if err := w.late(ctx, fmt.Sprintf("%T %s", list, o.Namespace)); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, object := range w.objects {
		if object.GetNamespace() != o.Namespace {
			continue
		}
		switch found := object.(type) {
		case *discoveryv1.EndpointSlice:
			if slices, ok := list.(*discoveryv1.EndpointSliceList); ok && o.LabelSelector.Matches(labels.Set(found.Labels)) {
				slices.Items = append(slices.Items, *found)
			}
		case *gatewayv1beta1.ReferenceGrant:
			if grants, ok := list.(*gatewayv1beta1.ReferenceGrantList); ok {
				grants.Items = append(grants.Items, *found)
			}
		}
	}
	return nil
}

// newService has a selector, so that it usually has slices.
func newService(key types.NamespacedName, ports ...int32) *corev1.Service {
	s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}
	s.Spec.Selector = map[string]string{"app": key.Name}
	for _, port := range ports {
		s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{Name: fmt.Sprint("p", port), Port: port})
	}
	return s
}

// newSlice is the only slice of a Service, with one endpoint for both ports.
func newSlice(service types.NamespacedName, address string) *discoveryv1.EndpointSlice {
	port := func(number int32) discoveryv1.EndpointPort {
		name := fmt.Sprint("p", number)
		return discoveryv1.EndpointPort{Name: &name, Port: &number}
	}
	return &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: service.Namespace, Name: service.Name,
			Labels: map[string]string{discoveryv1.LabelServiceName: service.Name},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{port(80), port(81)},
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{address}}},
	}
}

// newGrant lets the HTTPRoutes of the namespace shop refer to all Services of
// the namespace bank.
func newGrant() *gatewayv1beta1.ReferenceGrant {
	return &gatewayv1beta1.ReferenceGrant{
		ObjectMeta: metav1.ObjectMeta{Namespace: "bank", Name: "shop"},
		Spec: gatewayv1beta1.ReferenceGrantSpec{
			From: []gatewayv1beta1.ReferenceGrantFrom{{Group: gatewayv1.GroupName, Kind: "HTTPRoute", Namespace: "shop"}},
			To:   []gatewayv1beta1.ReferenceGrantTo{{Kind: "Service"}},
		},
	}
}

func newGateway(name string, port int32) *gatewayv1.Gateway {
	return &gatewayv1.Gateway{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name},
		Spec: gatewayv1.GatewaySpec{
			GatewayClassName: "ours",
			Listeners:        []gatewayv1.Listener{{Name: "http", Port: port, Protocol: gatewayv1.HTTPProtocolType}},
		},
	}
}

// target is a port of a Service.
type target struct {
	service types.NamespacedName
	port    int32
}

func (t target) String() string { return fmt.Sprintf("%s/%d", t.service, t.port) }

// newRoute has a rule for each target, whose path is "/TAG/NUMBER".
func newRoute(name, gateway string, tag int, targets ...target) *gatewayv1.HTTPRoute {
	r := &gatewayv1.HTTPRoute{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
	r.Spec.ParentRefs = []gatewayv1.ParentReference{{Name: gatewayv1.ObjectName(gateway)}}
	for i, to := range targets {
		path := fmt.Sprintf("/%d/%d", tag, i)
		ref := gatewayv1.HTTPBackendRef{}
		ref.Name, ref.Port = gatewayv1.ObjectName(to.service.Name), &to.port
		if to.service.Namespace != "shop" {
			namespace := gatewayv1.Namespace(to.service.Namespace)
			ref.Namespace = &namespace
		}
		r.Spec.Rules = append(r.Spec.Rules, gatewayv1.HTTPRouteRule{
			Matches:     []gatewayv1.HTTPRouteMatch{{Path: &gatewayv1.HTTPPathMatch{Value: &path}}},
			BackendRefs: []gatewayv1.HTTPBackendRef{ref},
		})
	}
	return r
}
