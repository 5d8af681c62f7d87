#!/usr/bin/env bash
# Makes sure that there is the Helm that the charts are tested with, and prints which.
#
#   hack/helm.sh                  build the pinned Helm into bin/helm, unless it is there
#   HELM=/path hack/helm.sh       only check that this one runs; nothing is built
#
# It is built from its Go module, so that the Go toolchain is all it takes; the
# checksum database of Go vouches for the source.
set -euo pipefail
cd -P "$(dirname "${BASH_SOURCE[0]}")/.."

version=v3.18.6
module=helm.sh/helm/v3
helm=$PWD/bin/helm
kubernetes=33 # the minor version of the Kubernetes modules that Helm $version is built with

# built prints the version of bin/helm: as go install stamps a module's version
# into the binary, and nothing else does, it is asked of the Go toolchain.
built() {
  go version -m "$helm" 2>/dev/null | awk -v module="$module" '$1 == "mod" && $2 == module {print $3}'
}

fail() {
  printf 'hack/helm.sh: %s\n' "$1" >&2
  printf '  Give a Helm of your own with HELM=/path/to/helm, or leave out what needs one with SKIP_HELM=1.\n' >&2
  exit 1
}

if [[ ${HELM:-$helm} != "$helm" ]]; then
  given=$("$HELM" version --short 2>/dev/null) || fail "HELM=$HELM does not run as a Helm ($HELM version)"
  echo "Helm: $HELM, $given (the pinned one is $version)"
  exit 0
fi
command -v go >/dev/null || fail "go is missing; it is needed to build Helm $version"
if [[ $(built) != "$version" ]]; then
  echo "building Helm $version with go install (takes a few minutes once)" >&2
  mkdir -p bin
  # As Helm's own releases do, it is told its Kubernetes version: it takes itself
  # for one of 1.20 otherwise, and refuses charts that need a newer one.
  flags=
  for package in chartutil lint/rules; do
    flags+=" -X $module/pkg/$package.k8sVersionMajor=1 -X $module/pkg/$package.k8sVersionMinor=$kubernetes"
  done
  # go install replaces the binary by a rename, so an interrupted run leaves no half of it.
  GOWORK=off GOFLAGS='' GOBIN=$PWD/bin go install -ldflags "$flags" "$module/cmd/helm@$version" ||
    fail "Helm $version could not be built"
fi
echo "Helm: $helm, $(built)"
