# shellcheck shell=bash disable=SC2154 # hack/cluster sets what is not set here
# Part of hack/cluster: certificates, etcd, the API server and the controllers.

start_control_plane() {
  certificates
  start etcd "$bin/etcd" --data-dir "$run/etcd" --unsafe-no-fsync \
    --listen-client-urls http://127.0.0.1:12379 --advertise-client-urls http://127.0.0.1:12379 \
    --listen-peer-urls http://127.0.0.1:12380 --initial-advertise-peer-urls http://127.0.0.1:12380 \
    --initial-cluster default=http://127.0.0.1:12380
  start_api_server
  # They would elect leaders among replicas; there is one of each.
  start kube-controller-manager "$bin/kube-controller-manager" --leader-elect=false \
    --kubeconfig "$run/kube-controller-manager.kubeconfig" --use-service-account-credentials \
    --service-account-private-key-file "$run/accounts.key" --root-ca-file "$run/ca.crt" \
    --cluster-signing-cert-file "$run/ca.crt" --cluster-signing-key-file "$run/ca.key"
  start kube-scheduler "$bin/kube-scheduler" --leader-elect=false --kubeconfig "$run/kube-scheduler.kubeconfig"
}

start_api_server() {
  # Who asked for what, once per request: enough to hold RBAC rules against.
  cat >"$run/audit.yaml" <<'YAML'
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{level: Metadata}]
YAML
  start kube-apiserver "$bin/kube-apiserver" --etcd-servers http://127.0.0.1:12379 \
    --bind-address "$node_ip" --secure-port 6443 --advertise-address "$node_ip" \
    --service-cluster-ip-range "$services" --allow-privileged --authorization-mode Node,RBAC \
    --tls-cert-file "$run/kube-apiserver.crt" --tls-private-key-file "$run/kube-apiserver.key" \
    --client-ca-file "$run/ca.crt" --kubelet-preferred-address-types InternalIP \
    --kubelet-client-certificate "$run/admin.crt" --kubelet-client-key "$run/admin.key" \
    --service-account-issuer https://kubernetes.default.svc \
    --service-account-key-file "$run/accounts.key" --service-account-signing-key-file "$run/accounts.key" \
    --audit-policy-file "$run/audit.yaml" --audit-log-path "$run/audit.log" --audit-log-maxsize 2000
  wait_for kube-apiserver 120 'the API server' kubectl get --raw /readyz
}

# certificates makes the cluster's CA and one identity for each component, with
# the names for which Kubernetes comes with roles.
certificates() {
  key ca
  openssl req -x509 -key "$run/ca.key" -out "$run/ca.crt" -days 3650 -subj /CN=xdsready-cluster
  key accounts # signs the tokens of ServiceAccounts
  certificate kube-apiserver /CN=kube-apiserver \
    "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,IP:$node_ip,IP:$api_service"
  identity admin /O=system:masters/CN=admin
  identity kube-controller-manager /CN=system:kube-controller-manager
  identity kube-scheduler /CN=system:kube-scheduler
  identity kubelet "/O=system:nodes/CN=system:node:$node"
  identity kube-proxy /CN=system:kube-proxy
}

key() { openssl ecparam -name prime256v1 -genkey -noout -out "$run/$1.key"; }

# certificate NAME SUBJECT [ALTERNATIVE NAMES]
certificate() {
  local extensions=extendedKeyUsage=serverAuth,clientAuth
  [[ -z ${3:-} ]] || extensions+=$'\n'subjectAltName=$3
  key "$1"
  openssl req -new -key "$run/$1.key" -subj "$2" |
    openssl x509 -req -CA "$run/ca.crt" -CAkey "$run/ca.key" -days 3650 -out "$run/$1.crt" \
      -extfile <(echo "$extensions") 2>"$run/openssl.log" || die "no certificate for $1: $run/openssl.log"
}

# identity NAME SUBJECT makes a client certificate and $run/NAME.kubeconfig with it inside.
identity() {
  certificate "$1" "$2"
  local config=("$bin/kubectl" config --kubeconfig "$run/$1.kubeconfig")
  {
    "${config[@]}" set-cluster "$node" --server "$api" --certificate-authority "$run/ca.crt" --embed-certs
    "${config[@]}" set-credentials "$1" --client-certificate "$run/$1.crt" --client-key "$run/$1.key" --embed-certs
    "${config[@]}" set-context "$node" --cluster "$node" --user "$1"
    "${config[@]}" use-context "$node"
  } >/dev/null
}
