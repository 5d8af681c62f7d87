package cluster

import "testing"

// What is normal in a cluster, or a plain mistake, never keeps a control plane from
// becoming ready.
func TestNeverStarving(t *testing.T) {
	toExternal := map[string]any{"Service": "external"}
	for _, c := range []struct {
		name    string
		prepare func(*testing.T, *kube)
	}{
		{"empty cluster", func(*testing.T, *kube) {}},
		{"a Gateway without routes", func(t *testing.T, k *kube) {
			k.apply(t, gatewayManifest, nil)
		}},
		{"an ExternalName Service", func(t *testing.T, k *kube) {
			k.apply(t, gatewayManifest, nil)
			k.apply(t, externalManifest, toExternal)
			k.apply(t, routeManifest, toExternal)
		}},
		{"a Service scaled to zero", func(t *testing.T, k *kube) {
			k.apply(t, gatewayManifest, nil)
			k.apply(t, backendManifest, backend(0))
			k.apply(t, routeManifest, map[string]any{"Service": "echo"})
		}},
		{"a route to a missing Service", func(t *testing.T, k *kube) {
			k.apply(t, gatewayManifest, nil)
			k.apply(t, routeManifest, map[string]any{"Service": "missing"})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			k := newKube(t)
			c.prepare(t, k)
			k.installControlPlane(t, controlPlaneOptions{replicas: 1})
			k.awaitRollout(t, controlPlane)
		})
	}
}

const externalManifest = `
apiVersion: v1
kind: Service
metadata: {name: {{.Service}}}
spec:
  type: ExternalName
  externalName: example.com
  ports: [{port: 80}]
`
