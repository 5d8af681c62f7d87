#!/usr/bin/env bash
# The quick start (`make run`): a small backend, a real Envoy in front of it, and
# xdsready, which keeps the Envoy out until every tier has reported.
#
#   hack/run.sh                   runs until Ctrl-C
#   RUN_ONCE=1 hack/run.sh        ends after the first request that worked, with exit code 0
#
# Needs bin/xdsready and an Envoy: `make run` builds and fetches them.
# XDSREADY_HTTP_ADDRESS, XDSREADY_XDS_ADDRESS and XDSREADY_ADMIN_ADDRESS move the
# ports of xdsready; those of Envoy and the backend are in examples/quickstart/config.
# Logs are in bin/quickstart.
set -euo pipefail
cd -P "$(dirname "${BASH_SOURCE[0]}")/.."

envoy=${ENVOY:-$PWD/bin/envoy}
http=${XDSREADY_HTTP_ADDRESS:-127.0.0.1:8080}
xds=${XDSREADY_XDS_ADDRESS:-127.0.0.1:18000}
admin=${XDSREADY_ADMIN_ADDRESS:-127.0.0.1:18001}
backend=127.0.0.1:10080
listener=127.0.0.1:10000
config=examples/quickstart/config
logs=bin/quickstart
patience=60 # seconds until a step that does not succeed is given up

names=() # of the processes that we started, in the order of their start
pids=()

fail() {
  printf '\nquickstart: %s\n' "$1" >&2
  exit 1
}

# start NAME COMMAND... runs COMMAND in the background, with its output in the log NAME.
start() {
  local name=$1
  shift
  "$@" </dev/null >"$logs/$name.log" 2>&1 &
  names+=("$name")
  pids+=("$!")
}

# stop_all ends what start started, the last first, and waits for each.
stop_all() {
  local code=$? i
  trap - EXIT
  trap '' INT TERM # a second Ctrl-C must not leave a process behind
  for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
    kill -TERM "${pids[i]}" 2>/dev/null || true
  done
  for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
    for ((n = 0; n < 150; n++)); do
      kill -0 "${pids[i]}" 2>/dev/null || break
      sleep 0.1
    done
    kill -KILL "${pids[i]}" 2>/dev/null && echo "quickstart: ${names[i]} did not end within 15 s and was killed" >&2
    wait "${pids[i]}" 2>/dev/null || true
  done
  exit "$code"
}

# all_alive fails with the end of its log when one of our processes has ended.
all_alive() {
  local i
  for i in "${!pids[@]}"; do
    if ! kill -0 "${pids[i]}" 2>/dev/null; then
      tail -n 20 "$logs/${names[i]}.log" >&2
      fail "${names[i]} has ended; its whole log is $logs/${names[i]}.log"
    fi
  done
}

# await WHAT COMMAND... repeats COMMAND until it succeeds.
await() {
  local what=$1 deadline=$((SECONDS + patience))
  shift
  until "$@"; do
    all_alive
    ((SECONDS < deadline)) || fail "$what did not happen within $patience s; the logs are in $logs"
    sleep 0.05
  done
}

listens() {
  (exec 3<>"/dev/tcp/${1%:*}/${1##*:}") 2>/dev/null
}

# must_be_free ADDRESS USER [VARIABLE] fails when something listens on ADDRESS.
must_be_free() {
  if listens "$1"; then
    fail "$1 is in use, but $2 needs it: end what listens there${3:+, or choose another with $3=127.0.0.1:PORT}"
  fi
}

# show_readyz prints /readyz?verbose when it has changed (times left out); it
# succeeds when the answer is 200.
shown=
show_readyz() {
  local answer
  answer=$(curl --silent --max-time 2 --write-out '/readyz: %{http_code}\n' "http://$http/readyz?verbose" || true)
  answer=$(sed 's/ ([0-9.]*s)//; s/: 000$/: no answer/' <<<"$answer")
  if [[ $answer != "$shown" ]]; then
    shown=$answer
    sed 's/^/  /' <<<"$answer"
  fi
  [[ $answer == *'/readyz: 200' ]]
}

request_works() {
  curl --silent --fail --max-time 2 --output "$logs/answer.txt" "http://$listener/hello"
}

command -v curl >/dev/null || fail 'curl is missing'
[[ -x bin/xdsready ]] || fail 'bin/xdsready is missing: run make build'
[[ -x $envoy ]] || fail "there is no Envoy at $envoy: run make envoy, or give one with ENVOY=/path/to/envoy (the quick start cannot do without)"
must_be_free "$backend" 'the backend'
must_be_free "$listener" "Envoy's listener"
must_be_free "$xds" 'the xDS server' XDSREADY_XDS_ADDRESS
must_be_free "$http" '/readyz' XDSREADY_HTTP_ADDRESS
must_be_free "$admin" "xdsready's admin server" XDSREADY_ADMIN_ADDRESS

mkdir -p "$logs"
trap stop_all EXIT
trap 'exit 0' INT TERM

go build -o "$logs/backend" ./examples/quickstart/backend
bin/xdsready bootstrap --xds-address "$xds" >"$logs/bootstrap.yaml"

echo "1. The backend listens on $backend."
start backend "$logs/backend" --address "$backend"
await 'a backend that listens' listens "$backend"

echo '2. Envoy starts. There is no control plane yet, so it has no config and does not listen.'
start envoy "$envoy" --config-path "$logs/bootstrap.yaml" --use-dynamic-base-id --log-level warning \
  --service-node quickstart --service-cluster quickstart

echo "3. xdsready serves $config on $xds; its tiers turn green:"
start xdsready bin/xdsready serve --source "dir:$config" --drain-delay 0s \
  --xds-address "$xds" --http-address "$http" --admin-address "$admin"
await '/readyz with 200' show_readyz

echo '4. Envoy is let in and serves traffic:'
await 'a request through Envoy' request_works
printf '  $ curl http://%s/hello\n  %s\n' "$listener" "$(<"$logs/answer.txt")"

if [[ -n ${RUN_ONCE:-} ]]; then exit 0; fi

cat <<EOF

It runs until Ctrl-C. In another terminal:
  curl http://$listener/hello
  curl http://$http/readyz?verbose
  bin/xdsready status --watch --http-address $http
Edit a file in $config and see the change arrive; break it, and traffic goes on.
EOF
while sleep 1; do all_alive; done
