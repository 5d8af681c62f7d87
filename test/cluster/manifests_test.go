package cluster

// Manifests that tests apply. They are templates, see kube.apply.
const (
	// backendManifest is two pods that answer requests, and their Service "echo".
	backendManifest = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: echo}
spec:
  replicas: {{.Replicas}}
  selector: {matchLabels: {app: echo}}
  template:
    metadata: {labels: {app: echo}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: echo
          image: {{.Image}}
          args: [backend, ":8080"]
          readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: echo}
spec:
  selector: {app: echo}
  ports: [{port: 80, targetPort: 8080}]
`

	trafficManifest = `
apiVersion: v1
kind: Pod
metadata: {name: traffic}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: traffic
      image: {{.Image}}
      args: [{{range .Arguments}}{{printf "%q" .}}, {{end}}]
      readinessProbe: {tcpSocket: {port: 9100}, periodSeconds: 1}
`

	gatewayManifest = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  gatewayClassName: {{.Namespace}}
  listeners: [{name: http, port: 8080, protocol: HTTP}]
`

	// routeManifest leads a path to port 80 of a Service of the same name.
	routeManifest = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: {{.Service}}}
spec:
  parentRefs: [{name: edge}]
  rules:
    - matches: [{path: {type: PathPrefix, value: /{{.Service}}}}]
      backendRefs: [{name: {{.Service}}, port: 80}]
`

	// movingManifest is a Service that leads to the same pods as echo.
	movingManifest = `
apiVersion: v1
kind: Service
metadata: {name: moving-{{.Step}}}
spec:
  clusterIP: None
  selector: {app: echo}
  ports: [{port: 80, targetPort: 8080}]
`

	// changingManifest is a route whose Service changes with each step, and a Service
	// whose addresses do, to which nobody sends anything.
	changingManifest = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: moving}
spec:
  parentRefs: [{name: edge}]
  rules:
    - matches: [{path: {type: PathPrefix, value: /moving}}]
      backendRefs: [{name: moving-{{.Step}}, port: 80}]
    - matches: [{path: {type: PathPrefix, value: /unused}}]
      backendRefs: [{name: unused, port: 80}]
---
apiVersion: v1
kind: Service
metadata: {name: unused}
spec:
  clusterIP: None
  ports: [{port: 80}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: unused
  labels: {kubernetes.io/service-name: unused}
addressType: IPv4
ports: [{port: 80}]
endpoints:
{{- range .Addresses}}
  - addresses: [{{.}}]
{{- end}}
`
)
