package kubernetes

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"
)

// gatewayCRDs are the CRDs that the program reads, by their plural names.
var gatewayCRDs = []string{"gatewayclasses", "gateways", "httproutes", "referencegrants"}

// scheme has the types of all objects that the tests write.
var scheme = func() *runtime.Scheme {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme, gatewayv1.Install, gatewayv1beta1.Install,
	} {
		if err := add(s); err != nil {
			panic(err)
		}
	}
	return s
}()

// apiServer is a running kube-apiserver with an etcd.
type apiServer struct {
	environment *envtest.Environment
	client      client.Client // of the administrator
	pidFile     string        // has the kube-apiserver's process id
	auditLog    string
}

// apiOptions are what an API server differs in from others.
type apiOptions struct {
	without []string          // CRDs of the Gateway API that it lacks
	flags   map[string]string // of kube-apiserver
}

// newAPIServer starts an API server, which keeps its files in dir.
func newAPIServer(dir string, o apiOptions) (*apiServer, error) {
	a := &apiServer{environment: &envtest.Environment{}, auditLog: filepath.Join(dir, "audit.log")}
	server := a.environment.ControlPlane.GetAPIServer()
	server.CertDir = filepath.Join(dir, "certificates") // given, it outlives a restart
	if err := os.Mkdir(server.CertDir, 0o700); err != nil {
		return nil, err
	}
	var err error
	if server.Path, a.pidFile, err = wrapper(dir); err != nil {
		return nil, err
	}
	policy := filepath.Join(dir, "audit.yaml")
	if err := os.WriteFile(policy, []byte(auditPolicy), 0o600); err != nil {
		return nil, err
	}
	server.Configure().Set("audit-policy-file", policy).Set("audit-log-path", a.auditLog).
		Set("service-cluster-ip-range", "10.96.0.0/16") // room for thousands of Services
	for flag, value := range o.flags {
		server.Configure().Set(flag, value)
	}
	for _, crd := range gatewayCRDs {
		if !slices.Contains(o.without, crd) {
			a.environment.CRDDirectoryPaths = append(a.environment.CRDDirectoryPaths, crdFile(crd))
		}
	}
	if _, err := a.environment.Start(); err != nil {
		return nil, fmt.Errorf("starting the API server: %w", err)
	}
	a.environment.Config.QPS = -1
	a.client, err = client.New(a.environment.Config, client.Options{Scheme: scheme})
	return a, err
}

// auditPolicy has every request logged once, without bodies.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{level: Metadata}]
`

// wrapper writes a script that becomes the kube-apiserver and leaves its process
// id in a file: envtest tells nobody, and only a process id can be stopped or
// killed as machines do it.
func wrapper(dir string) (path, pidFile string, err error) {
	path, pidFile = filepath.Join(dir, "kube-apiserver"), filepath.Join(dir, "kube-apiserver.pid")
	program := filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kube-apiserver")
	script := fmt.Sprintf("#!/bin/sh\necho $$ >%q\nexec %q \"$@\"\n", pidFile, program)
	return path, pidFile, os.WriteFile(path, []byte(script), 0o700)
}

func crdFile(plural string) string {
	return filepath.Join(crdDirectory, "gateway.networking.k8s.io_"+plural+".yaml")
}

// startAPIServer starts an API server for one test.
func startAPIServer(t *testing.T, o apiOptions) *apiServer {
	t.Helper()
	a, err := newAPIServer(t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.environment.Stop(); err != nil {
			t.Error(err)
		}
	})
	return a
}

// signal sends a signal to the kube-apiserver.
func (a *apiServer) signal(t *testing.T, signal syscall.Signal) {
	t.Helper()
	text, err := os.ReadFile(a.pidFile)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, signal); err != nil {
		t.Fatal(err)
	}
	if signal == syscall.SIGSTOP {
		t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGCONT) }) // what is stopped cannot be ended
	}
}

// restart starts the kube-apiserver again after it was killed, at the same
// address and with the same data.
func (a *apiServer) restart(t *testing.T) {
	t.Helper()
	if err := a.environment.ControlPlane.GetAPIServer().Start(); err != nil {
		t.Fatal(err)
	}
}

// install installs a CRD of the Gateway API.
func (a *apiServer) install(t *testing.T, plural string) {
	t.Helper()
	_, err := envtest.InstallCRDs(a.environment.Config, envtest.CRDInstallOptions{Paths: []string{crdFile(plural)}})
	if err != nil {
		t.Fatal(err)
	}
}

// user makes a user, who may do nothing yet, and returns what is needed to
// connect as that user.
func (a *apiServer) user(t *testing.T, name string) *envtest.AuthenticatedUser {
	t.Helper()
	user, err := a.environment.AddUser(envtest.User{Name: name}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return user
}

// create creates objects.
func (a *apiServer) create(t *testing.T, objects ...client.Object) {
	t.Helper()
	for _, object := range objects {
		if err := a.client.Create(t.Context(), object); err != nil {
			t.Fatalf("creating %T %s: %v", object, client.ObjectKeyFromObject(object), err)
		}
	}
}

// update replaces the spec of objects, whoever changed them before.
func (a *apiServer) update(t *testing.T, objects ...client.Object) {
	t.Helper()
	for _, object := range objects {
		current, ok := object.DeepCopyObject().(client.Object)
		if !ok {
			t.Fatalf("%T is no object", object)
		}
		if err := a.client.Get(t.Context(), client.ObjectKeyFromObject(object), current); err != nil {
			t.Fatal(err)
		}
		patch := client.MergeFrom(current)
		object.SetResourceVersion(current.GetResourceVersion())
		object.SetUID(current.GetUID())
		if err := a.client.Patch(t.Context(), object, patch); err != nil {
			t.Fatalf("updating %T %s: %v", object, client.ObjectKeyFromObject(object), err)
		}
	}
}

// remove deletes objects.
func (a *apiServer) remove(t *testing.T, objects ...client.Object) {
	t.Helper()
	for _, object := range objects {
		if err := a.client.Delete(t.Context(), object); err != nil {
			t.Fatalf("deleting %T %s: %v", object, client.ObjectKeyFromObject(object), err)
		}
	}
}
