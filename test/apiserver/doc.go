// Package apiserver is a small Kubernetes API server for tests: discovery, get,
// list and watch of a few resources as JSON over HTTP on loopback. Unlike a
// fake clientset it can do what a start in production meets: keep a list
// waiting, refuse it as RBAC does, and be talked to by another process.
package apiserver
