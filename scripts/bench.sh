#!/usr/bin/env bash
# bench.sh [ARGUMENTS OF bench/run.py]: the table against the budgets; build/bench.json. By hand, on a quiet machine; never part of pass or fail.
# On the sandbox and, where `make e2e` has built it, on a real API server.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/build.sh release keyturn keyturn-sandbox bench_load
if programs=$(tests/e2e/control-plane.sh built); then set -- --programs "$programs" "$@"; else echo "bench: NOT ON A REAL API SERVER: make e2e builds it"; fi
exec python3 bench/run.py "$@"
