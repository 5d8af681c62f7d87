#!/usr/bin/env bash
# Makes sure that there are xDS clients other than Envoy to test with, and prints
# which: gRPC's for Node.js and for Python.
#
#   hack/clients.sh               fetch the pinned ones into bin/clients, unless they are there
#
# Versions and checksums are in package-lock.json and requirements.txt of
# test/clients/testdata. It takes Node.js with npm, and Python 3 with pip.
set -euo pipefail
cd -P "$(dirname "${BASH_SOURCE[0]}")/.."

pins=test/clients/testdata
fetched=bin/clients

fail() {
  printf 'hack/clients.sh: %s\n' "$1" >&2
  printf '  Leave out what needs these clients with SKIP_CLIENTS=1.\n' >&2
  exit 1
}

# pinned prints all that decides what is fetched: the versions, and which Python
# the compiled part is for.
pinned() {
  cat "$pins/package-lock.json" "$pins/requirements.txt"
  python3 -c 'import sysconfig; print(sysconfig.get_config_var("SOABI"), sysconfig.get_platform())'
}

fetch() {
  mkdir -p bin
  local work
  work=$(mktemp -d bin/.clients.XXXXXX)
  # shellcheck disable=SC2064 # the directory of this run, not of a later one
  trap "rm -rf '$work'" EXIT

  echo 'fetching the xDS clients of gRPC with npm and pip (15 MB)' >&2
  cp "$pins/package.json" "$pins/package-lock.json" "$work"
  npm ci --prefix "$work" --ignore-scripts --no-audit --no-fund --loglevel=error </dev/null >&2 ||
    fail 'npm could not fetch the client for Node.js'
  python3 -m pip install --quiet --root-user-action=ignore --disable-pip-version-check --only-binary=:all: --no-deps --require-hashes \
    --requirement "$pins/requirements.txt" --target "$work/python" </dev/null >&2 ||
    fail 'pip could not fetch the client for Python; there are builds for CPython 3.10 to 3.14 on Linux x86_64 and aarch64 with glibc, and on macOS'
  PYTHONPATH=$work/python python3 -c 'import grpc' || fail 'the client for Python does not run on this machine'
  pinned >"$work/pinned"
  # The last step is a rename, so that an interrupted run leaves no half of them.
  rm -rf "$fetched"
  mv "$work" "$fetched"
}

for tool in node npm python3; do
  command -v "$tool" >/dev/null || fail "$tool is missing; it is needed to run gRPC's other xDS clients"
done
python3 -m pip --version >/dev/null 2>&1 || fail "python3 has no pip; it is needed to fetch gRPC's xDS client for Python"

if [[ $(pinned) != "$(cat "$fetched/pinned" 2>/dev/null)" ]]; then
  fetch
fi
node_version=$(sed -n 's/.*"@grpc\/grpc-js-xds": "\(.*\)".*/\1/p' "$pins/package.json")
python_version=$(sed -n 's/^grpcio==\([0-9.]*\).*/\1/p' "$pins/requirements.txt")
echo "xDS clients: $PWD/$fetched, grpc-js-xds $node_version for Node.js $(node --version), grpcio $python_version for $(python3 --version)"
