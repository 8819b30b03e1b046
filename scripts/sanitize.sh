#!/usr/bin/env bash
# sanitize.sh [asan-ubsan|tsan]: the unit tests under address+undefined and those with threads under thread; then the real operator under each, in the core scenarios against the sandbox.
# The last line is `N passed, N failed`.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
passed=0
failed=0
run() { # PRESET NAME…: unit tests by the name of their folder, and integration
  local preset=$1 log=build/$1/ctest.log
  shift
  local tests=("${@/#/test_}")
  scripts/build.sh "$preset" "${tests[@]}" keyturn keyturn-sandbox || { failed=$((failed + 1)); return; }
  # The operator is not dumpable, so LeakSanitizer cannot look at it; the unit tests are looked at.
  ctest --test-dir "build/$preset" --output-on-failure --parallel "$(nproc)" --timeout 1200 -R "^($(IFS='|'; echo "${tests[*]}"))$" | tee "$log"
  KT_PATIENCE=6 ASAN_OPTIONS=detect_leaks=0 TSAN_OPTIONS=halt_on_error=1 ctest --test-dir "build/$preset" --output-on-failure --parallel "$(nproc)" --timeout 1200 -R '^integration_core$' | tee -a "$log"
  passed=$((passed + $(grep -cE '^ *[0-9]+/[0-9]+ Test +#[0-9]+: .* Passed ' "$log")))
  failed=$((failed + $(grep -cE '^ *[0-9]+/[0-9]+ Test +#[0-9]+: .*(\*\*\*|Not Run)' "$log")))
}
if [ "${1:-asan-ubsan}" = asan-ubsan ]; then run asan-ubsan base http aws engine strategies kube runtime rotation cli sandbox; fi
if [ "${1:-tsan}" = tsan ]; then run tsan base http kube runtime rotation; fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
