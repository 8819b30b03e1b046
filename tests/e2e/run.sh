#!/usr/bin/env bash
# `make e2e`: builds or finds the control plane, then runs the scenarios.
#
#   run.sh [--keep] [--list] [word…]      only scenarios whose name contains one of the words
#
# KEYTURN: the program to test; default bin/keyturn of this checkout.
# The last line is `N passed, N failed`, and `, N skipped` after it where a prerequisite is missing and nothing ran.
# Exit status: 0 all passed, 1 something failed, 2 wrong usage, 3 nothing ran.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
binary=${KEYTURN:-$here/../../bin/keyturn}

failed() {
  printf 'e2e: %s; nothing ran\n0 passed, 1 failed\n' "$1"
  exit 1
}

[ -x "$binary" ] || failed "$binary is not there; build it with: make build"
status=0
programs=$("$here/control-plane.sh" build) || status=$?
if [ "$status" -eq 3 ]; then
  printf '0 passed, 0 failed, %s skipped\n' "$(cat "$here"/scenarios/*.py | grep -c '^@scenario(')"
  exit 3
fi
[ "$status" -eq 0 ] || failed "the control plane could not be built"
python3 "$here/selftest.py" 2>&1 || failed "the tests of the tests' own tools fail"
exec python3 "$here/run.py" --programs "$programs" --binary "$binary" "$@"
