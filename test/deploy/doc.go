// Package deploy proves what docs/install.md says of the charts in deploy: that
// they refuse values that do not work, that what they render is what Kubernetes,
// the command and a real Envoy take, and that it asks for no right too many.
//
// The tests need the Helm that `make helm` builds, or another one named by the
// environment variable HELM; SKIP_HELM=1 leaves them out.
package deploy
