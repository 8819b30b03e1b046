#!/usr/bin/env bash
# lint.sh [quick]: clang-format, shellcheck, the rules of the house that a tool can check and, without `quick`, clang-tidy's short enforced list.
# The last line is `N passed, N failed`.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
passed=0
failed=0
check() { # NAME COMMAND…
  local name=$1
  shift
  if "$@"; then passed=$((passed + 1)); echo "lint $name: ok"; else failed=$((failed + 1)); echo "lint $name: FAILED"; fi
}
formatted() { git ls-files '*.cpp' '*.h' | xargs -P "$(nproc)" -n 40 clang-format --dry-run -Werror; }
shell_scripts() { git ls-files '*.sh' .ci/run | xargs shellcheck -S warning; }
no_sleeps_in_tests() { ! git grep -nE 'sleep_for|usleep\(' -- tests/unit tests/integration tests/simulation; }
no_leftovers() { ! git grep -nE '(TOD[O]|FIXM[E])\b' -- lib controller tests crds charts scripts; }
long_files() {
  local long
  long=$(git ls-files 'lib/*.cpp' 'lib/*.h' 'controller/*.cpp' 'controller/*.h' | xargs wc -l | awk '$2 != "total" && $1 > 450')
  [ -z "$long" ] || { echo "$long"; false; }
}
# Who may include whom: LAYOUT.md. The build enforces it but between lib/engine and its subfolder; this is the whole table.
forbidden_includes() { # lines FILE:#include "HEADER" on standard input
  awk -F: '
    function allowed(file) {
      if (file ~ /^lib\/engine\/strategies\//) return "^lib/"
      if (file ~ /^lib\/engine\//) return "^lib/(base|http|aws)/|^lib/engine/[^/]*$"
      if (file ~ /^lib\/aws\//) return "^lib/(base|http|aws)/"
      if (file ~ /^lib\/http\//) return "^lib/(base|http)/"
      if (file ~ /^lib\//) return "^lib/base/"
      if (file ~ /^controller\/kube\//) return "^lib/(base|http)/|^controller/kube/"
      if (file ~ /^controller\/runtime\//) return "^lib/base/|^controller/runtime/"
      if (file ~ /^controller\/rotation\//) return "^lib/|^controller/(kube|runtime|rotation)/"
      return "^lib/|^controller/"
    }
    { split($2, quoted, "\""); if (quoted[2] !~ allowed($1)) { print $1 " must not include " quoted[2]; found = 1 } }
    END { exit !found }'
}
includes() {
  forbidden_includes <<<'lib/base/x.cpp:#include "lib/aws/signer.h"' >/dev/null || { echo "the check itself finds nothing"; return 1; }
  ! git grep -E '^#include "' -- lib controller | forbidden_includes
}
tidy() {
  scripts/build.sh dev kt_base >/dev/null || return 1
  # Flags of GCC that clang does not know are dropped by the compile database's consumer.
  git ls-files 'lib/*.cpp' 'controller/*.cpp' | xargs -P "$(nproc)" -n 4 clang-tidy -p build/dev --quiet --warnings-as-errors='*' 2>build/dev/tidy.err >build/dev/tidy.log ||
    { grep -E 'error|warning' build/dev/tidy.log | sort -u | head -n 40; return 1; }
}
check clang-format formatted
check shellcheck shell_scripts
check sleeps no_sleeps_in_tests
check leftovers no_leftovers
check file-length long_files
check includes includes
if [ "${1:-}" != quick ]; then check clang-tidy tidy; fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
