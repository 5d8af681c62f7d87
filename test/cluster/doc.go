// Package cluster tests the control plane in a real Kubernetes, as it is
// installed there: by its charts, with the kubelet's probes, under steady traffic
// through real Envoys. `make e2e` runs it; docs/kubernetes-tests.md says how.
//
// Each test has a control plane of its own, with a GatewayClass of its own, in a
// namespace that goes when the test ends.
package cluster
