#!/usr/bin/env bash
# bench.sh [ARGUMENTS OF bench/run.py]: the table against the budgets; build/bench.json. By hand, on a quiet machine; never part of pass or fail.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/build.sh release keyturn keyturn-sandbox bench_load
exec python3 bench/run.py "$@"
