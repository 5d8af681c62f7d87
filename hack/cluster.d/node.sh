# shellcheck shell=bash disable=SC2154 # hack/cluster sets what is not set here
# Part of hack/cluster: containerd, the kubelet and kube-proxy.

socket=$run/containerd.sock
pause=xdsready.test/pause:1 # the image that holds a pod's network open

start_node() {
  containerd_config >"$run/containerd.toml"
  mkdir -p "$run/networks"
  network_config >"$run/networks/$node.conflist"
  start containerd containerd --config "$run/containerd.toml"
  wait_for containerd 60 containerd containers version
  load_pause

  kubelet_config >"$run/kubelet.yaml"
  start kubelet "$bin/kubelet" --kubeconfig "$run/kubelet.kubeconfig" --config "$run/kubelet.yaml" \
    --hostname-override "$node" --node-ip "$node_ip" --root-dir "$run/kubelet" --cert-dir "$run/kubelet-pki"
  # Limits of connection tracking are left as the machine has them.
  start kube-proxy "$bin/kube-proxy" --kubeconfig "$run/kube-proxy.kubeconfig" --hostname-override "$node" \
    --proxy-mode iptables --cluster-cidr "$pods" --conntrack-max-per-core 0 \
    --conntrack-tcp-timeout-established 0 --conntrack-tcp-timeout-close-wait 0
  wait_for kubelet 120 'the node' kubectl wait --for=condition=Ready "node/$node" --timeout=1s
}

# stop_node ends the pods too: they are containerd's children, not the kubelet's.
stop_node() {
  local container
  stop kubelet
  stop kube-proxy
  if alive containerd; then
    for container in $(containers tasks list --quiet); do
      # It fails where containerd was faster: a pod's other containers end with its first.
      containers tasks delete --force "$container" >/dev/null 2>&1 || true
    done
    containers tasks list --quiet | sed "s/^/cluster: this container could not be ended: /" >&2
  fi
  stop containerd
}

containers() { ctr --address "$socket" --namespace k8s.io "$@"; }

containerd_config() {
  # restrict_oom_score_adj: this machine may itself be a container that must not lower it.
  # netns_mounts_under_state_dir: all that is mounted for a pod is found below $run.
  # enable_unprivileged_ports: ports below 1024 without root, as newer versions have it by default.
  cat <<TOML
version = 2
root = "$run/containerd"
state = "$run/containerd-state"
[grpc]
  address = "$socket"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "$pause"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  enable_unprivileged_ports = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$run/networks"
TOML
}

network_config() {
  cat <<JSON
{
  "cniVersion": "0.4.0", "name": "$node", "plugins": [
    {"type": "bridge", "bridge": "$pod_link", "isGateway": true, "ipMasq": true, "hairpinMode": true,
     "ipam": {"type": "host-local", "dataDir": "$run/addresses",
              "ranges": [[{"subnet": "$pods"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
    {"type": "portmap", "capabilities": {"portMappings": true}}
  ]
}
JSON
}

kubelet_config() {
  # Nothing is evicted, collected or refused because the machine's disk is nearly full or has swap.
  cat <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix://$socket
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $run/ca.crt}}
clusterDNS: [$dns_service]
clusterDomain: cluster.local
resolvConf: /etc/resolv.conf
podLogsDir: $run/pod-logs
volumePluginDir: $run/volume-plugins
cgroupDriver: cgroupfs
failCgroupV1: false
failSwapOn: false
enforceNodeAllocatable: []
evictionHard: {nodefs.available: 1%, imagefs.available: 1%, memory.available: 50Mi}
imageGCHighThresholdPercent: 100
YAML
}
