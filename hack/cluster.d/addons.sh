# shellcheck shell=bash disable=SC2154 # hack/cluster sets what is not set here
# Part of hack/cluster: what runs in the cluster from the start: DNS and the Gateway API's kinds.

install_addons() {
  say "installing the Gateway API's CRDs"
  kubectl apply --server-side --filename "$(crds)" >/dev/null
  image xdsready.test/coredns:1 "$bin/coredns"
  sed "s/DNS_SERVICE/$dns_service/" "$here/cluster.d/dns.yaml" | kubectl apply --filename - >/dev/null
  wait_for kubelet 120 DNS kubectl --namespace kube-system rollout status deployment/coredns --timeout=1s
}

# crds prints the directory of the standard CRDs, at the version that the command is built with.
crds() {
  local version
  version=$(cd "$here/../cmd/xdsready" && go list -m -f '{{.Version}}' sigs.k8s.io/gateway-api)
  echo "$(module_source sigs.k8s.io/gateway-api "$version")/config/crd/standard"
}
