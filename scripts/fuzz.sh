#!/usr/bin/env bash
# fuzz.sh SECONDS: builds the libFuzzer programs with clang and runs each for so long, beginning with its corpus. What it finds beyond the
# corpus goes to build/fuzz/corpus (KT_FUZZ_SEED: another seed than 1); a crash is written there, too, and fails the run. Prints edges covered by parser.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
mapfile -t parsers < <(cd tests/fuzz && ls -- *_fuzz.cpp | sed 's/_fuzz\.cpp$//')
scripts/build.sh fuzz "${parsers[@]/#/fuzz_}"
failed=0
one() {
  local parser=$1 work=build/fuzz/corpus/$1
  mkdir -p "$work"
  # libFuzzer ends by itself, except when what it found has taken all memory: seen once to hang a whole run.
  if timeout -k 5 $((seconds + 120)) "build/fuzz/tests/fuzz/fuzz_$parser" -seed="${KT_FUZZ_SEED:-1}" -max_total_time="$seconds" -max_len=65536 -rss_limit_mb=2048 -timeout=20 -print_final_stats=1 \
      -artifact_prefix="$work/crash-" "$work" "tests/fuzz/corpus/$parser" >"build/fuzz/$parser.log" 2>&1; then
    printf 'fuzz %-22s ok       %s\n' "$parser" "$(grep -oE 'cov: [0-9]+ ft: [0-9]+' "build/fuzz/$parser.log" | tail -n 1)"
  else
    printf 'fuzz %-22s FAILED   see build/fuzz/%s.log\n' "$parser" "$parser"
    tail -n 30 "build/fuzz/$parser.log"
    return 1
  fi
}
export -f one
export seconds
printf '%s\n' "${parsers[@]}" | xargs -P "$(nproc)" -I{} bash -c 'one {}' || failed=1
exit $failed
