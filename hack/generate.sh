#!/usr/bin/env bash
# Generates the Go code of the project's .proto files.
#
#   hack/generate.sh              write it beside the .proto files
#   hack/generate.sh check        write nothing; fail if what is there is outdated
#
# The compiler is in the Python package grpcio-tools and the plugins for Go are Go
# programs: all are fetched at the versions below into bin/generate, once.
set -euo pipefail
cd -P "$(dirname "${BASH_SOURCE[0]}")/.."

compiler=1.85.1        # grpcio-tools
plugin_messages=v1.36.12 # protoc-gen-go: the version of google.golang.org/protobuf in cmd/xdsready/go.mod
plugin_services=v1.6.2 # protoc-gen-go-grpc
protos=(cmd/xdsready/internal/drain/drainv1 cmd/xdsready/internal/peers/peersv1)
tools=$PWD/bin/generate
pinned="grpcio-tools $compiler, protoc-gen-go $plugin_messages, protoc-gen-go-grpc $plugin_services"

fail() {
  printf 'hack/generate.sh: %s\n' "$1" >&2
  exit 1
}

fetch() {
  for tool in go python3; do
    command -v "$tool" >/dev/null || fail "$tool is missing; it is needed to fetch the compiler of .proto files"
  done
  echo "fetching $pinned into bin/generate (10 MB)" >&2
  rm -rf "$tools"
  mkdir -p "$tools"
  python3 -m pip install --quiet --root-user-action=ignore --disable-pip-version-check --only-binary=:all: \
    --target "$tools/python" "grpcio-tools==$compiler" >&2 || fail 'pip could not fetch grpcio-tools'
  GOWORK=off GOFLAGS='' GOBIN=$tools go install "google.golang.org/protobuf/cmd/protoc-gen-go@$plugin_messages"
  GOWORK=off GOFLAGS='' GOBIN=$tools go install "google.golang.org/grpc/cmd/protoc-gen-go-grpc@$plugin_services"
  echo "$pinned" >"$tools/pinned" # last: an interrupted run is begun again
}

# generate FROM TO: writes the code of the .proto files of one directory into another.
generate() {
  PATH=$tools:$PATH PYTHONPATH=$tools/python python3 -m grpc_tools.protoc --proto_path="$1" \
    --go_out="$2" --go_opt=paths=source_relative --go-grpc_out="$2" --go-grpc_opt=paths=source_relative "$1"/*.proto
}

if [[ $(cat "$tools/pinned" 2>/dev/null) != "$pinned" ]]; then
  fetch
fi
case ${1:-write} in
write)
  for from in "${protos[@]}"; do
    generate "$from" "$from"
  done
  echo "generated: ${protos[*]}"
  ;;
check)
  fresh=$(mktemp -d)
  trap 'rm -rf "$fresh"' EXIT
  for from in "${protos[@]}"; do
    mkdir -p "$fresh/$from"
    generate "$from" "$fresh/$from"
    for file in "$fresh/$from"/*; do
      diff -q "$file" "$from/${file##*/}" >&2 || fail "$from/${file##*/} is outdated: run make generate"
    done
  done
  echo "generated code: up to date with ${protos[*]}"
  ;;
*)
  echo 'usage: hack/generate.sh [check]' >&2
  exit 2
  ;;
esac
