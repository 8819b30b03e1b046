#!/usr/bin/env bash
# test.sh: everything that needs only Debian packages: unit, integration, simulation, every fuzz corpus, and each parser fuzzed for 10 s.
# The last line is `N passed, N failed`.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
started=$SECONDS
scripts/build.sh dev all || { echo "0 passed, 1 failed"; exit 1; }
log=build/dev/ctest.log
ctest --test-dir build/dev --output-on-failure --parallel "$(nproc)" --timeout 1500 | tee "$log"
passed=$(grep -cE '^ *[0-9]+/[0-9]+ Test +#[0-9]+: .* Passed ' "$log")
failed=$(grep -cE '^ *[0-9]+/[0-9]+ Test +#[0-9]+: .*(\*\*\*|Not Run)' "$log")
if [ "${KT_SKIP_FUZZ:-}" = 1 ]; then
  echo "FUZZING WAS NOT RUN (KT_SKIP_FUZZ=1); the corpora were replayed"
elif scripts/fuzz.sh 10; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
echo "make test took $((SECONDS - started)) s"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
