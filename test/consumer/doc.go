// Package consumer proves that a control plane which requires the library keeps
// every version it had, and that the checks of pkg/ready take the informers and
// caches of Kubernetes 0.34, older than those they are developed with.
package consumer
