# shellcheck shell=bash disable=SC2154 # hack/cluster sets what is not set here
# Part of hack/cluster: what it changes on the machine, how that is undone, and
# its processes.

# What Kubernetes sets in the kernel; the values from before are kept in $run/sysctl.
sysctls=(net.ipv4.ip_forward net.ipv4.conf.all.route_localnet net.bridge.bridge-nf-call-iptables
  vm.overcommit_memory vm.panic_on_oom kernel.panic kernel.panic_on_oops
  kernel.keys.root_maxkeys kernel.keys.root_maxbytes)

# Where the kubelet, containerd and others write, wherever they are told
# to keep their state. Those that were not there are named in $run/directories.
side_directories=(/var/lib/kubelet /var/log/containers /var/lib/cni /opt/containerd /run/containerd
  /usr/libexec/kubernetes)

node_link=xdsready-node # holds $node_ip, so that nothing depends on the machine's own addresses
pod_link=xdsready-pods  # the bridge of the pods, made by the network plugin

install_packages() {
  local package missing=()
  for package in "${packages[@]}"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -x 'install ok installed' >/dev/null ||
      missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  say "installing ${missing[*]}"
  {
    apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"
  } >"$cache/apt.log" 2>&1 || die "apt-get could not install them: $cache/apt.log"
}

prepare_machine() {
  local directory
  if iptables-save | grep -E '^:(KUBE|CNI)-' >/dev/null; then
    die 'another Kubernetes runs on this machine: its iptables chains (KUBE-, CNI-) would be lost in "down"'
  fi
  mkdir -p "$run"
  for directory in "${side_directories[@]}"; do
    [[ -e $directory ]] || echo "$directory"
  done >"$run/directories"

  modprobe -a br_netfilter overlay 2>/dev/null || true # part of the kernel where this fails
  sysctl -e "${sysctls[@]}" >"$run/sysctl" 2>/dev/null
  sysctl -q net.ipv4.ip_forward=1
  # Without it a pod cannot reach itself or its neighbour through a Service.
  sysctl -q net.bridge.bridge-nf-call-iptables=1
  ip link add "$node_link" type bridge
  ip link set "$node_link" up
  ip address add "$node_ip/32" dev "$node_link"
}

restore_machine() {
  local mounted tool directory
  mounted=$(awk -v below="$run/" 'index($2, below) == 1 {print $2}' /proc/mounts | sort -r)
  [[ -z $mounted ]] || xargs -d '\n' umount --lazy <<<"$mounted"
  for tool in iptables ip6tables; do
    "$tool-save" | sed -E '/(KUBE|CNI)-/d' | "$tool-restore"
  done
  ip link delete "$pod_link" 2>/dev/null || true # not there if no pod ever ran
  ip link delete "$node_link" 2>/dev/null || true
  [[ ! -e $run/sysctl ]] || sysctl -q --load="$run/sysctl"
  # The cgroups of pods; those of the machine's own are not empty and stay.
  find /sys/fs/cgroup -depth -type d -path '*/kubepods*' -exec rmdir --ignore-fail-on-non-empty {} +
  [[ ! -e $run/directories ]] || while read -r directory; do rm -rf "$directory"; done <"$run/directories"
}

# start NAME COMMAND... runs it in the background until `stop`.
start() {
  local name=$1
  shift
  # Without the lock: it would be held for as long as the process runs.
  setsid "$@" >"$run/$name.log" 2>&1 </dev/null {lock}>&- &
  echo $! >"$run/$name.pid"
}

# alive NAME: its process runs, and is ours: after a restart of the machine the
# same pid may be another's. Each of ours is told a path in $run.
alive() {
  local pid
  pid=$(cat "$run/$1.pid" 2>/dev/null) || return 1
  grep -aqF "$run" "/proc/$pid/cmdline" 2>/dev/null
}

stop() {
  local pid deadline=$((SECONDS + 10))
  alive "$1" || return 0
  pid=$(<"$run/$1.pid")
  kill "$pid"
  while alive "$1"; do
    if ((SECONDS >= deadline)); then
      say "$1 did not stop within 10 seconds, killing it"
      kill -KILL "$pid" 2>/dev/null || true
    fi
    sleep 0.1
  done
}

# wait_for COMPONENT SECONDS WHAT COMMAND... until the command succeeds; it fails
# with the end of the component's log when time is up or the component has ended.
wait_for() {
  local component=$1 deadline=$((SECONDS + $2)) what=$3
  shift 3
  say "waiting for $what"
  until "$@" >/dev/null 2>&1; do
    if ((SECONDS >= deadline)) || ! alive "$component"; then
      tail -n 5 "$run/$component.log" >&2
      die "$what: not ready; the log is $run/$component.log"
    fi
    sleep 0.2
  done
}
