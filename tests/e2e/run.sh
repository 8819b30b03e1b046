#!/usr/bin/env bash
# `make e2e`: builds or finds the control plane, then runs the scenarios.
#
#   run.sh [--keep] [--list] [word…]      only scenarios whose name contains one of the words
#
# KEYTURN: the program to test; default bin/keyturn of this checkout.
# Exit status: 0 all passed, 1 something failed, 2 wrong usage, 3 a prerequisite is missing and nothing ran.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
binary=${KEYTURN:-$here/../../bin/keyturn}
if [ ! -x "$binary" ]; then
  printf 'e2e: %s is not there; build it with: make build\n' "$binary" >&2
  exit 1
fi
programs=$("$here/control-plane.sh" build)
python3 "$here/selftest.py" 2>&1 || {
  printf 'e2e: the tests of the tests'"'"' own tools fail; nothing else ran\n' >&2
  exit 1
}
exec python3 "$here/run.py" --programs "$programs" --binary "$binary" "$@"
