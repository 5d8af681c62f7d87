package deploy

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// The certificate that Helm makes is good for the name by which the proxies'
// chart looks for the control plane, for whoever trusts the ConfigMap.
func TestCertificate(t *testing.T) {
	objects := decode(t, render(t, "chart", "default"))
	secret := only[*corev1.Secret](t, objects)
	pair, err := tls.X509KeyPair(secret.Data["tls.crt"], secret.Data["tls.key"])
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(only[*corev1.ConfigMap](t, objects).Data["ca.crt"])) {
		t.Fatal("the ConfigMap has no certificate")
	}
	for _, name := range []string{"xdsready.xdsready-system.svc", "xdsready.xdsready-system.svc.cluster.local", "xdsready.xdsready-system"} {
		if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: name}); err != nil {
			t.Errorf("for %s: %v", name, err)
		}
	}
}

// With a Secret of one's own there is nothing that Helm makes.
func TestOwnCertificate(t *testing.T) {
	for _, object := range decode(t, render(t, "chart", "mtls")) {
		switch object.(type) {
		case *corev1.Secret, *corev1.ConfigMap:
			t.Errorf("%T is rendered", object)
		}
	}
}

// writePEM writes the certificate that Helm has made into a directory, as the
// files of a mounted Secret.
func writePEM(t *testing.T, objects []runtime.Object, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range only[*corev1.Secret](t, objects).Data {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
