package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"testing"
	"text/template"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/connrotation"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// limit is how long anything may take that must happen in the cluster.
const limit = 2 * time.Minute

// kube is a namespace of the cluster, for one test.
type kube struct {
	config    *rest.Config
	client    client.WithWatch
	pods      *kubernetes.Clientset // for what client cannot: logs, and containers added to a pod
	namespace string
	releases  []string // what helm has installed
}

// newKube makes a namespace that is removed when the test ends.
func newKube(t *testing.T) *kube {
	t.Helper()
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		clientcmd.NewDefaultClientConfigLoadingRules(), nil).ClientConfig()
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1 // thousands of Services are made at once
	dialer := connrotation.NewDialer(new(net.Dialer).DialContext)
	config.Dial = dialer.DialContext
	t.Cleanup(dialer.CloseAll) // the clients would keep their connections
	k := &kube{config: config}
	if k.client, err = client.NewWithWatch(config, client.Options{}); err != nil {
		t.Fatal(err)
	}
	if k.pods, err = kubernetes.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "e2e-"}}
	if err := k.client.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	k.namespace = namespace.Name
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), limit)
		defer cancel()
		if t.Failed() {
			k.logPods(ctx, t)
		}
		k.uninstall(ctx, t)
		k.removeNamespace(ctx, t)
	})
	return k
}

// removeNamespace returns when it is gone, so that the next test has the machine
// for itself.
func (k *kube) removeNamespace(ctx context.Context, t *testing.T) {
	t.Helper()
	err := k.watch(ctx, &corev1.NamespaceList{}, func(event watch.Event) bool {
		if namespace, ok := event.Object.(*corev1.Namespace); ok && event.Type == watch.Added {
			if err := k.client.Delete(ctx, namespace); err != nil {
				t.Error(err)
			}
		}
		return event.Type == watch.Deleted
	}, client.MatchingFields{"metadata.name": k.namespace})
	if err != nil {
		t.Errorf("namespace %s does not go: %v", k.namespace, err)
	}
}

// apply applies a manifest: a template that knows .Namespace and what values has.
func (k *kube) apply(t *testing.T, manifest string, values map[string]any) {
	t.Helper()
	for _, object := range k.objects(t, manifest, values) {
		if err := k.applyObject(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
}

func (k *kube) applyObject(ctx context.Context, object *unstructured.Unstructured) error {
	configuration := client.ApplyConfigurationFromUnstructured(object.DeepCopy()) // it takes the answer
	err := k.client.Apply(ctx, configuration, client.FieldOwner("e2e"), client.ForceOwnership)
	if err != nil {
		return fmt.Errorf("%s %s: %w", object.GetKind(), object.GetName(), err)
	}
	return nil
}

// remove removes the objects of a manifest.
func (k *kube) remove(t *testing.T, manifest string, values map[string]any) {
	t.Helper()
	for _, object := range k.objects(t, manifest, values) {
		if err := k.client.Delete(t.Context(), object); err != nil {
			t.Fatalf("%s %s: %v", object.GetKind(), object.GetName(), err)
		}
	}
}

// objects are those of a manifest, in the test's namespace if they name none.
func (k *kube) objects(t *testing.T, manifest string, values map[string]any) (objects []*unstructured.Unstructured) {
	t.Helper()
	filled := map[string]any{"Namespace": k.namespace}
	maps.Copy(filled, values)
	var text bytes.Buffer
	if err := template.Must(template.New("").Option("missingkey=error").Parse(manifest)).Execute(&text, filled); err != nil {
		t.Fatal(err)
	}
	decoder := yaml.NewYAMLOrJSONDecoder(&text, 4096)
	for {
		object := new(unstructured.Unstructured)
		err := decoder.Decode(object)
		if errors.Is(err, io.EOF) {
			return objects
		}
		if err != nil {
			t.Fatal(err)
		}
		if object.GetNamespace() == "" && object.GetKind() != "GatewayClass" {
			object.SetNamespace(k.namespace)
		}
		objects = append(objects, object)
	}
}

// await watches objects of the test's namespace until one of them is as wanted;
// what says how. It returns that one.
func await[Object client.Object](t *testing.T, k *kube, list client.ObjectList, what string, holds func(Object) bool, options ...client.ListOption) Object {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	var found Object
	var latest string
	err := k.watch(ctx, list, func(event watch.Event) bool {
		object, ok := event.Object.(Object)
		if !ok || event.Type == watch.Deleted {
			return false
		}
		found, latest = object, fmt.Sprintf("%+v", object)
		return holds(object)
	}, append(options, client.InNamespace(k.namespace))...)
	if err != nil {
		t.Fatalf("%v: not %s; the latest event: %s", err, what, latest)
	}
	return found
}

// watch calls holds with every event, existing objects first, until it says true.
func (k *kube) watch(ctx context.Context, list client.ObjectList, holds func(watch.Event) bool, options ...client.ListOption) error {
	for ctx.Err() == nil {
		events, err := k.client.Watch(ctx, list, options...)
		if err != nil {
			return err
		}
		for event := range events.ResultChan() {
			if holds(event) {
				events.Stop()
				return nil
			}
		}
		events.Stop() // it has ended: the next one begins with what exists
	}
	return ctx.Err()
}

// awaitAccepted waits until an object of the Gateway API has the condition Accepted:
// the control plane has seen it as it is now.
func (k *kube) awaitAccepted(t *testing.T, kind, name string) {
	t.Helper()
	list := new(unstructured.UnstructuredList)
	list.SetGroupVersionKind(schema.GroupVersionKind{Group: "gateway.networking.k8s.io", Version: "v1", Kind: kind + "List"})
	await(t, k, list, name+" is accepted", func(object *unstructured.Unstructured) bool {
		conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
		return slices.ContainsFunc(conditions, func(condition any) bool {
			c, ok := condition.(map[string]any)
			return ok && c["type"] == "Accepted" && c["status"] == "True" && c["observedGeneration"] == object.GetGeneration()
		})
	}, client.MatchingFields{"metadata.name": name})
}
