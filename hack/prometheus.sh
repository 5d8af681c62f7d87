#!/usr/bin/env bash
# Makes sure that there is a Prometheus, with its promtool, to test the dashboard
# and the alerts with, and prints which one.
#
#   hack/prometheus.sh                  fetch the pinned ones into bin/, unless they are there
#   PROMETHEUS=/path hack/prometheus.sh only check that this one runs, and the promtool beside it
#
# They come out of Debian's package, which is unpacked and not installed: that
# takes no root and touches nothing outside bin/. apt checks Debian's signature.
set -euo pipefail
cd -P "$(dirname "${BASH_SOURCE[0]}")/.."

version=2.42.0 # of Debian 12; its revisions with security fixes are taken as well
pinned=$PWD/bin/prometheus

fail() {
  printf 'hack/prometheus.sh: %s\n' "$1" >&2
  printf '  Give a Prometheus of your own, promtool beside it, with PROMETHEUS=/path/to/prometheus, or leave out what needs one with SKIP_PROMETHEUS=1.\n' >&2
  exit 1
}

# what_is FILE prints the version of a Prometheus or promtool binary; it fails if FILE is none.
what_is() {
  "$1" --version 2>&1 | sed -n 's/^.*, version \([^ ]*\) .*/\1/p' | grep .
}

# download DIRECTORY gets the package; machines whose package lists are missing
# or old get lists of their own below the directory.
download() (
  cd "$1"
  apt=(apt-get --quiet=2 --option APT::Sandbox::User=)
  "${apt[@]}" download "prometheus=$version*" 2>/dev/null && return
  mkdir -p state/lists/partial cache/archives/partial
  apt+=(--option "Dir::State=$PWD/state" --option "Dir::State::status=/var/lib/dpkg/status" --option "Dir::Cache=$PWD/cache")
  "${apt[@]}" update && "${apt[@]}" download "prometheus=$version*"
)

fetch() {
  local tool work
  for tool in apt-get dpkg; do
    command -v "$tool" >/dev/null || fail "$tool is missing; it is needed to fetch Debian's Prometheus $version"
  done
  mkdir -p bin
  work=$(mktemp -d "$PWD/bin/.prometheus.XXXXXX")
  # shellcheck disable=SC2064 # the directory of this run, not of a later one
  trap "rm -rf '$work'" EXIT

  echo "fetching Debian's Prometheus $version with apt-get (30 MB)" >&2
  download "$work" >&2 || fail "apt-get could not download Prometheus $version; Debian 12 has it"
  dpkg -x "$work"/prometheus_*.deb "$work"
  for tool in promtool prometheus; do
    what_is "$work/usr/bin/$tool" >/dev/null || fail "the downloaded $tool $version does not run on this machine"
  done
  # Renames, prometheus last, so that an interrupted run leaves no half of them.
  mv "$work/usr/bin/promtool" bin/promtool
  mv "$work/usr/bin/prometheus" "$pinned"
}

prometheus=${PROMETHEUS:-$pinned}
if [[ $prometheus == "$pinned" && $(what_is "$pinned" 2>/dev/null) != "$version"* ]]; then
  fetch
fi
[[ -x $prometheus ]] || fail "PROMETHEUS=$prometheus is not an executable file"
for tool in "$prometheus" "$(dirname "$prometheus")/promtool"; do
  what_is "$tool" >/dev/null || fail "$tool does not run as a part of Prometheus ($tool --version)"
done
echo "Prometheus: $prometheus, version $(what_is "$prometheus") (the pinned one is $version)"
