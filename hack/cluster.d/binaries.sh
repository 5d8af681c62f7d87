# shellcheck shell=bash disable=SC2154 # hack/cluster sets what is not set here
# Part of hack/cluster: every program of the cluster, compiled from its Go module.

# build NAME MODULE VERSION [FOLDER] makes $bin/NAME of the main package in that
# folder of the module, unless it is there in that version.
#
# It compiles in the module's own source and with the module's own go.mod and
# go.sum, so with the dependencies that its authors tested. What they replace by
# a directory of their repository is not in a module: Kubernetes' parts come at
# the version that was released with it, those of others at the one required.
build() {
  local name=$1 module=$2 version=$3 folder=${4:-.} source modfile
  [[ ! -x $bin/$name-$version ]] || return 0
  say "building $name $version"

  source=$(module_source "$module" "$version")
  modfile=$cache/build/$module@$version/go.mod
  mkdir -p "${modfile%/*}"
  sed -E -e "s,=> \./staging/src/(k8s\.io/[a-z-]+)$,=> \1 $kubernetes_parts," \
    -e '/=> \.\.?\//d' "$source/go.mod" >"$modfile"
  cat "$source/go.sum" >"${modfile%.mod}.sum" # not cp: the source is read-only
  (
    cd "$source"
    CGO_ENABLED=0 GOWORK=off GOFLAGS='' nice go build -mod=mod -modfile="$modfile" -trimpath -buildvcs=false \
      -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=$kubernetes" \
      -o "$bin/$name-$version" "./$folder"
  ) >"$cache/build.log" 2>&1 || die "$name does not build: $cache/build.log"
  ln -sfn "$name-$version" "$bin/$name" # after the build, so that an interrupted one leaves no half program
}

# module_source MODULE VERSION fetches a module and prints the directory of its source.
module_source() {
  local answer
  answer=$(cd / && GOWORK=off go mod download -json "$1@$2") || die "$1 $2 could not be fetched: $answer"
  sed -n 's/^\t"Dir": "\(.*\)",$/\1/p' <<<"$answer"
}

# build_api builds what is enough to run an API server: the programs that
# controller-runtime's envtest looks for.
build_api() {
  build etcd go.etcd.io/etcd/server/v3 "$etcd"
  build kubectl k8s.io/kubernetes "$kubernetes" cmd/kubectl
  build kube-apiserver k8s.io/kubernetes "$kubernetes" cmd/kube-apiserver
}

build_all() {
  local name
  build_api
  for name in kube-controller-manager kube-scheduler kubelet kube-proxy; do
    build "$name" k8s.io/kubernetes "$kubernetes" "cmd/$name"
  done
  build coredns github.com/coredns/coredns "$coredns"
}
