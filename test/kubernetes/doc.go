// Package kubernetes tests `xdsready serve --source kubernetes` as its users
// have it: the built program, against a real kube-apiserver with a real etcd.
//
// There is no node and no controller, so what a test sees in the cluster it has
// put there itself. Between the program and the API server a test may set a
// relay, which records, delays, holds and cuts what passes. Proxies are xDS
// clients of these tests, which see every response as it comes.
//
// The API server's binaries come from hack/cluster, which builds them; `make
// kubernetes` does that first. Without them the package prints that it is left out.
package kubernetes
