#!/usr/bin/env bash
# Runs each fuzz target of the project for $FUZZTIME (30 s if not set).
# go test fuzzes one target of one package at a time, so they are looked up first.
# An input that fails is written to testdata/fuzz of its package: commit it with the fix.
#
#   FUZZTIME=5m hack/fuzz.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

targets=$(grep -roE '^func Fuzz\w+' --include='*_test.go' --exclude-dir=bin . || [[ $? == 1 ]])
[[ -n $targets ]] || { echo 'no fuzz targets'; exit 0; }

while IFS=: read -r file func; do
  package=$(dirname "$file") target=${func#func }
  echo "== $package $target"
  (cd "$package" && go test -run='^$' -fuzz="^$target\$" -fuzztime="${FUZZTIME:-30s}" -fuzzminimizetime=10x . </dev/null)
done <<<"$targets"
