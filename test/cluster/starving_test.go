package cluster

import "testing"

// What is normal in a cluster, or a plain mistake, never keeps a control plane from
// becoming ready.
func TestNeverStarving(t *testing.T) {
	type manifest struct {
		text   string
		values map[string]any
	}
	gateway := manifest{text: gatewayManifest}
	service := func(name string) map[string]any { return map[string]any{"Service": name} }
	for name, manifests := range map[string][]manifest{
		"empty cluster":            nil,
		"a Gateway without routes": {gateway},
		"an ExternalName Service":  {gateway, {externalManifest, service("external")}, {routeManifest, service("external")}},
		"a Service scaled to zero": {gateway, {backendManifest, backend(0)}, {routeManifest, service("echo")}},
		"a route to a missing one": {gateway, {routeManifest, service("missing")}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newKube(t)
			for _, m := range manifests {
				k.apply(t, m.text, m.values)
			}
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
