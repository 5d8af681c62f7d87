// Package apiserver is a stand-in for the Kubernetes API server: discovery,
// get, list and watch of a few resources, as JSON over HTTP on loopback.
//
// The clients under test are real (client-go, controller-runtime, krt), and
// what they need of an API server to start is little. A real one would need
// etcd and binaries that no Go, Python or Debian package carries, and could not
// keep one list waiting; a fake clientset has no HTTP, so that another process
// cannot talk to it and a 403 does not come in the API server's form. This one
// can do what a start in production meets: answer late, refuse as RBAC does,
// and be empty. It proves nothing about the API server itself.
package apiserver
