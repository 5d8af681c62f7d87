#!/usr/bin/env bash
# Prints the share of statements that the tests of each module reach in that
# module's own packages. Profiles: bin/cover/NAME.out, for go tool cover -html.
#
#   hack/cover.sh MODULE...
set -euo pipefail
cd -P "$(dirname "${BASH_SOURCE[0]}")/.."

mkdir -p bin/cover
table=''
for module in "$@"; do
  name=$(basename "$(cd "$module" && pwd -P)")
  if [[ $module == . ]]; then name=library; fi
  profile=$PWD/bin/cover/$name.out
  echo "== $module" >&2
  (cd "$module" && go test -coverpkg=./... -coverprofile="$profile" ./... >&2)
  total=$(cd "$module" && go tool cover -func="$profile" | awk '$1 == "total:" {print $NF}')
  table+=$(printf '%-10s %7s  %s' "$name" "${total:-none}" "bin/cover/$name.out")$'\n'
done
printf '\n%-10s %7s  %s\n%s' module covered profile "$table"
