package deploy

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// The name by which replicas look for one another is that of a Service that has
// all of them, those that are not ready included, at the port of their xDS server.
func TestReplicasFindOneAnother(t *testing.T) {
	for _, set := range []string{"default", "mtls", "everything"} {
		objects := decode(t, render(t, "chart", set))
		service := serviceOf(t, objects, flagOf(t, objects, "--peers"))
		if service.Spec.ClusterIP != corev1.ClusterIPNone || !service.Spec.PublishNotReadyAddresses {
			t.Errorf("%s: %s is not headless, or hides replicas that are not ready", set, service.Name)
		}
		pod := only[*appsv1.Deployment](t, objects).Spec.Template
		for key, value := range service.Spec.Selector {
			if pod.Labels[key] != value {
				t.Errorf("%s: %s does not select the replicas: %s=%s", set, service.Name, key, value)
			}
		}
		var ports []int32
		for _, port := range pod.Spec.Containers[0].Ports {
			if port.Name == service.Spec.Ports[0].TargetPort.StrVal {
				ports = append(ports, port.ContainerPort)
			}
		}
		if diff := cmp.Diff([]int32{service.Spec.Ports[0].Port}, ports); diff != "" {
			t.Errorf("%s: a headless Service translates no ports (-port of the Service +port of the pod):\n%s", set, diff)
		}
	}
}

// serviceOf returns the Service that an address of the form dns:///NAME:PORT means.
func serviceOf(t *testing.T, objects []runtime.Object, address string) *corev1.Service {
	t.Helper()
	for _, object := range objects {
		service, ok := object.(*corev1.Service)
		if ok && address == fmt.Sprintf("dns:///%s.%s.svc:%d", service.Name, service.Namespace, service.Spec.Ports[0].Port) {
			return service
		}
	}
	t.Fatalf("there is no Service at %s", address)
	return nil
}

// The certificate that Helm makes is one that a replica takes for a peer's.
func TestReplicasKnowOneAnother(t *testing.T) {
	objects := decode(t, render(t, "chart", "default"))
	data := only[*corev1.Secret](t, objects).Data
	pair, err := tls.X509KeyPair(data["tls.crt"], data["tls.key"])
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(data["ca.crt"])
	if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: flagOf(t, objects, "--peer-san")}); err != nil {
		t.Error(err)
	}
}

// flagOf returns the value of a flag of the control plane.
func flagOf(t *testing.T, objects []runtime.Object, name string) string {
	t.Helper()
	for _, arg := range container(t, objects).Args {
		if value, ok := strings.CutPrefix(arg, name+"="); ok {
			return value
		}
	}
	t.Fatalf("there is no flag %s", name)
	return ""
}
