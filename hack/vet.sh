#!/usr/bin/env bash
# Checks the house rules of CONTRIBUTING.md that a script can check: under each
# broken rule it prints where, and it fails if there is one.
#
#   hack/vet.sh MODULE...         MODULE: a directory with a go.mod; `make vet` passes those of go.work
#
# No pattern may find itself in this file: that is why some are written (a|b)(c|d).
set -euo pipefail
shopt -s inherit_errexit # a check that cannot run must not look like one that found nothing
cd "$(dirname "${BASH_SOURCE[0]}")/.."

modules=("$@")
if ((${#modules[@]} == 0)); then
  echo 'usage: hack/vet.sh MODULE...' >&2
  exit 2
fi
library=$(sed -n 's/^module //p' go.mod)
max_lines=400
shown=20 # lines printed per broken rule
broken=0

# rule TEXT COMMAND...: the rule is kept if COMMAND prints nothing.
rule() {
  local text=$1 found
  shift
  found=$("$@")
  if [[ -z $found ]]; then return; fi
  broken=$((broken + 1))
  printf 'house rule broken: %s\n' "$text"
  sed "s/^/  /; ${shown}q" <<<"$found"
} >&2

# search PATTERN [GREP OPTION...] prints the lines of the project that match, as file:line:text.
search() {
  local pattern=$1
  shift
  grep -rnIE "$pattern" . --exclude-dir=.git --exclude-dir=bin --exclude='go*.sum' "$@" || [[ $? == 1 ]]
}

# sleeps prints the sleeps of tests. Files that use testing/synctest are left out: the
# time of its bubbles is not real.
sleeps() {
  search 'time\.Sleep\(' --include='*_test.go' | while IFS= read -r found; do
    grep -q '"testing/synctest"' "${found%%:*}" || echo "$found"
  done
}

go_files() {
  find . \( -name .git -o -path ./bin \) -prune -o -name '*.go' -print
}

long_files() {
  go_files | sed '/_test\.go$/d; /\.pb\.go$/d' | while read -r file; do
    awk -v file="$file" -v max="$max_lines" 'END {if (NR > max) print file ": " NR " lines"}' "$file"
  done
}

unformatted() {
  go_files | xargs gofmt -l
}

# in_modules COMMAND...: runs COMMAND in each module.
in_modules() {
  local module
  for module in "${modules[@]}"; do
    (cd "$module" && "$@")
  done
}

undocumented() {
  in_modules go list -f '{{if and .GoFiles (not .Doc)}}{{.Dir}}{{end}}' ./... | sed "s|^$PWD/||"
}

untidy() {
  local module
  for module in "${modules[@]}"; do
    { (cd "$module" && GOWORK=off go mod tidy -diff 2>&1) || echo "$module: go.mod or go.sum would change"; } |
      sed '/^go: downloading /d'
  done
}

# linked PACKAGE... prints what a program links that imports these, without the standard library.
linked() {
  GOWORK=off go list -deps -f '{{if not .Standard}}{{.ImportPath}}{{end}}' "$@" | sort -u
}

# links PACKAGE PATTERN prints what PACKAGE links that matches PATTERN.
links() {
  local all
  all=$(linked "$1")
  grep -E "$2" <<<"$all" || [[ $? == 1 ]]
}

# ready_links_more prints what pkg/ready links beyond itself and client_golang.
ready_links_more() {
  local ours theirs
  ours=$(linked ./pkg/ready | sed "\|^$library/pkg/ready|d")
  theirs=$(linked github.com/prometheus/client_golang/prometheus/promhttp)
  comm -23 <(echo "$ours") <(echo "$theirs")
}

# above_floor MODULE MAJOR.MINOR prints the library's requirement of MODULE if it is higher.
above_floor() {
  local have
  have=$(GOWORK=off go list -m -f '{{.Version}}' "$1")
  awk -v module="$1" -v have="${have#v}" -v floor="$2" 'BEGIN {
    split(have, h, "."); split(floor, f, ".")
    if (h[1] > f[1] + 0 || h[2] > f[2] + 0) print "go.mod: " module " v" have ", the floor is " floor
  }'
}

above_floors() {
  above_floor google.golang.org/grpc 1.70
  above_floor github.com/prometheus/client_golang 1.20
  above_floor github.com/envoyproxy/go-control-plane/envoy 1.32
  awk '$1 == "go" && $2 !~ /^1\.25(\.0)?$/ {print "go.mod: go " $2 ", the floor is 1.25"}' go.mod
}

rule 'tests do not sleep: use testing/synctest, an event, or polling with a deadline' \
  sleeps
rule 'with pipefail no pipe ends in a reader that stops early: its writer dies of SIGPIPE' \
  search '[^|][|] *(head|grep [^|]*-[a-z]*[qm])' --include='*.sh' --include=run --include=Makefile
rule 'nothing is left open in the code' \
  search '\b(TO|FIX|X)(DO|ME|XX)\b' --include='*.go' --include='*.sh' --include='*.yaml' --include=Makefile
rule 'no paths of one machine' \
  search '(^|[^A-Za-z0-9_.-])/(work|root|home|Users)/'
rule 'no registry hosts: go and pip know theirs' \
  search '((proxy|sum)\.golang|pypi|files\.pythonhosted|registry\.npmjs|deb\.debian)\.org'
rule 'a package is named after what it does, not util, common, helpers or misc' \
  search '^package (utils?|commons?|helpers?|misc)$' --include='*.go'
rule "a file has at most $max_lines lines: is there a second thing in it?" long_files
rule 'Go files are formatted with gofmt' unformatted
rule 'every package has a package comment' undocumented
rule 'pkg/ready links the standard library and client_golang only' ready_links_more
rule 'pkg/cache knows neither pkg/ready nor pkg/xds: the wiring joins them' \
  links ./pkg/cache "^$library/pkg/(ready|xds)"
rule 'pkg/xds/admission fits any xDS server: no cache, no Envoy types' \
  links ./pkg/xds/admission "^$library/pkg/(cache|xds\$)|go-control-plane"
rule 'the library takes Kubernetes and krt as structural types and imports neither' \
  links ./pkg/... '^(k8s|sigs\.k8s|istio)\.io/'
rule 'the library requires only floors: who embeds it gets its whole go.mod' above_floors
rule 'go.mod and go.sum are tidy: run make tidy' untidy

if ((broken > 0)); then
  echo "make vet: house rules broken: $broken" >&2
  exit 1
fi
echo 'house rules: all kept'
