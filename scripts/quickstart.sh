#!/usr/bin/env bash
# quickstart.sh [--stay]: Keyturn at work on this machine, without a cluster or an AWS account. Starts keyturn-sandbox (a Kubernetes API and Secrets Manager
# in memory) and the operator against it, applies an example policy, and shows what happens. Fails unless two rotations reached the Kubernetes Secret.
# --stay: everything keeps running until Ctrl-C, for kubectl.
set -euo pipefail
cd "$(dirname "$0")/.."
stay=${1:-}
bin=${KT_BIN:-bin}  # where the programs are
export bin
work=build/quickstart
rm -rf "$work"
mkdir -p "$work"
sandbox_pid='' operator_pid=''

say() { printf '\n== %s\n' "$*"; }
die() {
  printf '\nquickstart: %s\n' "$*" >&2
  [ ! -e "$work/operator.log" ] || { echo "the end of the operator's log ($work/operator.log):" >&2; tail -n 15 "$work/operator.log" >&2; }
  exit 1
}
finish() {
  local pid
  for pid in $operator_pid $sandbox_pid; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true; done
}
trap finish EXIT
trap 'exit 130' INT TERM

# wait_for SECONDS WHAT COMMAND…: polls; a condition, not a time, ends the wait.
wait_for() {
  local limit=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$limit" ] || die "gave up waiting for $what"
    sleep 0.2
  done
}

kube() { # METHOD PATH [CURL ARGUMENTS…]
  local method=$1 path=$2
  shift 2
  curl -sS --fail-with-body --cacert "$work/ca.crt" -H "Authorization: Bearer $(cat "$work/token")" -X "$method" "$server$path" "$@"
}
# The value of one string field of a JSON text on standard input (first match).
field() { sed -n "s|.*\"$1\": *\"\([^\"]*\)\".*|\1|p" | head -n 1; }

in_kubernetes() { kube GET /api/v1/namespaces/shop/secrets/orders-api | tr ',{' '\n\n' | field API_KEY | base64 -d; }
version_in_kubernetes() { kube GET /api/v1/namespaces/shop/secrets/orders-api | tr ',{' '\n\n' | field 'keyturn.dev/version-id'; }
policy_field() { "$bin/keyturn" status orders-api -n shop -o json | field "$1"; }
synced_other_than() { local now; now=$(version_in_kubernetes) && [ -n "$now" ] && [ "$now" != "$1" ]; }

show_secret() {
  local value
  value=$(in_kubernetes)
  printf 'Kubernetes Secret shop/orders-api: version %s, API_KEY %s… (%s characters)\n' "$(version_in_kubernetes | cut -c1-8)" "${value:0:6}" "${#value}"
}
current_in_aws() { curl -sS --fail "$SANDBOX_ADMIN/aws/secrets/shop/orders-api" | tr ',{' '\n\n' | field AWSCURRENT; }
value_in_aws() { "$bin/keyturn" secret get shop/orders-api --reveal --field /apiKey; }
# The Secret holds exactly what Secrets Manager calls AWSCURRENT, and (a rotation later) not what it held before.
value_before=''
check_equal() {
  local value
  value=$(in_kubernetes)
  [ -n "$value" ] && [ "$value" = "$(value_in_aws)" ] || die "the Kubernetes Secret does not hold the current value of the secret"
  [ "$(version_in_kubernetes)" = "$(current_in_aws)" ] || die "the Kubernetes Secret names another version than AWSCURRENT"
  [ "$value" != "$value_before" ] || die "the Kubernetes Secret names a new version and holds the value of the one before"
  value_before=$value
}

say "Starting the sandbox: a Kubernetes API and AWS Secrets Manager in one process"
"$bin/keyturn-sandbox" --dir "$work" --load crds/rotationpolicies.keyturn.dev.yaml >"$work/sandbox.log" 2>&1 &
sandbox_pid=$!
wait_for 20 "the sandbox" test -e "$work/ready"
# shellcheck disable=SC1091
. "$work/env"
server=$(sed -n 's/^ *server: *//p' "$work/kubeconfig" | tr -d '"' | head -n 1)
kube POST /api/v1/namespaces -H 'Content-Type: application/json' -d '{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop"}}' >/dev/null
curl -sS --fail -X POST "$SANDBOX_ADMIN/aws/secrets" -d '{"name":"shop/orders-api","value":"{\"apiKey\": \"the-key-that-was-there-before\", \"owner\": \"team-orders\"}"}' >/dev/null
echo "Secrets Manager holds shop/orders-api: {\"apiKey\": …, \"owner\": \"team-orders\"}"

say "Starting the operator, with one access rule: namespace shop may use secrets shop/*"
cat >"$work/config.yaml" <<'CONFIG'
access:
- namespaces: [shop]
  secrets: ["{namespace}/*"]
listen: 127.0.0.1:0
logFormat: text
minRotationInterval: 5s     # 15m by default: this is a demonstration
leaderElection: {enabled: false}
CONFIG
"$bin/keyturn" controller --config "$work/config.yaml" > >(tee "$work/operator.log" | sed -u 's/^/   operator | /') 2>&1 &
operator_pid=$!
wait_for 20 "the operator" grep -q working "$work/operator.log"

say "Applying examples/quickstart-policy.yaml (kubectl apply would do the same)"
sed 's/^/   /' examples/quickstart-policy.yaml
kube PATCH '/apis/keyturn.dev/v1alpha1/namespaces/shop/rotationpolicies/orders-api?fieldManager=quickstart' \
  -H 'Content-Type: application/apply-patch+yaml' --data-binary @examples/quickstart-policy.yaml >/dev/null
wait_for 20 "the first sync" version_in_kubernetes
first=$(version_in_kubernetes)
show_secret
check_equal

say "Asking for a rotation: keyturn rotate orders-api --wait"
"$bin/keyturn" rotate orders-api -n shop --wait --timeout 60s || die "the rotation that was asked for failed"
wait_for 20 "the first rotation in the Secret" synced_other_than "$first"
second=$(version_in_kubernetes)
show_secret
check_equal

say "Waiting for the schedule: the next rotation is due within a minute ($(policy_field nextRotationTime))"
wait_for 100 "the scheduled rotation in the Secret" synced_other_than "$second"
show_secret
check_equal

say "keyturn status"
"$bin/keyturn" status -A
say "keyturn status orders-api"
wait_for 20 "a quiet policy" bash -c '! "$bin/keyturn" status orders-api -n shop | grep -q Rotating'
"$bin/keyturn" status orders-api -n shop

say "Some metrics"
metrics=$(sed -n 's/.*listening.*address=\([0-9.:]*\).*/\1/p' "$work/operator.log" | head -n 1)
[ -n "$metrics" ] || die "the operator did not say where it listens"
curl -sS --fail "http://$metrics/metrics" | grep -E '^keyturn_(rotations_total|syncs_total|policy_ready|sync_lag_seconds_(sum|count)|aws_requests_total)' | grep -v ' 0$'

if [ "$stay" = --stay ]; then
  say "Everything keeps running. Ctrl-C ends it."
  printf 'export KUBECONFIG=%s\n' "$PWD/$work/kubeconfig"
  printf 'Kubernetes API   %s\nSecrets Manager  %s (source %s for keys)\nmetrics          http://%s/metrics\n' "$server" "$AWS_ENDPOINT_URL" "$work/env" "$metrics"
  echo "Try: kubectl get rotpol -A;  kubectl -n shop annotate rotpol orders-api --overwrite keyturn.dev/rotate-requested-at=\$(date -u +%FT%TZ)"
  wait "$operator_pid"
  exit
fi

say "Stopping the operator (SIGTERM)"
kill -TERM "$operator_pid"
wait "$operator_pid" || die "the operator did not end cleanly (status $?)"
operator_pid=''
say "Two rotations reached the Kubernetes Secret, and the operator ended cleanly."
