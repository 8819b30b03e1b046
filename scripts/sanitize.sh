#!/usr/bin/env bash
# sanitize.sh: the unit, integration and simulation programs under address+undefined, and the threaded ones under thread.
# The last line is `N passed, N failed`.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
passed=0
failed=0
run() { # PRESET CTEST-REGEX TARGETS…
  local preset=$1 tests=$2
  shift 2
  scripts/build.sh "$preset" "$@" || { failed=$((failed + 1)); return; }
  local log=build/$preset/ctest.log
  ctest --test-dir "build/$preset" --output-on-failure --parallel "$(nproc)" --timeout 1200 -R "$tests" | tee "$log"
  passed=$((passed + $(grep -cE '^ *[0-9]+/[0-9]+ Test +#[0-9]+: .* Passed ' "$log")))
  failed=$((failed + $(grep -cE '^ *[0-9]+/[0-9]+ Test +#[0-9]+: .*(\*\*\*|Not Run)' "$log")))
}
# What parses, owns memory or shares it between threads; the programs as a whole run under them in e2e only by hand (KEYTURN=build/asan-ubsan/bin/keyturn).
core="base http aws engine strategies kube runtime"
# shellcheck disable=SC2046  # a list of targets
run asan-ubsan '^test_' $(printf 'test_%s ' $core)
run tsan '^test_(base|http|kube|runtime)$' test_base test_http test_kube test_runtime
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
