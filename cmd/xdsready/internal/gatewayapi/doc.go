// Package gatewayapi turns Gateway API and Kubernetes objects into Envoy
// resources and status conditions.
package gatewayapi
