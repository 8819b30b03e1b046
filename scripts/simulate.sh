#!/usr/bin/env bash
# simulate.sh [--schedules N] [--seed FIRST] [--every N] [--preset PRESET]: what the label protocol is proved with, beyond what `make test` has time for.
#   simulate  N random schedules (20,000) of the real engine on fake time: crashes, lost and late replies, two leaders, meddling people; the coverage is printed
#   placed    the whole life of a credential with each adversity placed at each request, and pairs of them; a process for each processor.
#             With --every N (CI has no time for all) every N-th of the requests
#   model     docs/protocol/model.py, at larger budgets than in `make test`
#   explore   every interleaving within the model's budgets, of the label protocol and among readers, then each rule taken away, which must be missed
# The programs are loops, and most of their time is in the product: hence the release build. explore runs beside the others and wants 2 GB of memory.
# The last line is `N passed, N failed`. A failing seed or placement is printed with the command that replays it.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
schedules=20000
seed=1
every=1
preset=release
while [ $# -gt 0 ]; do
  case "$1" in
  --schedules) schedules=$2 ;;
  --seed) seed=$2 ;;
  --every) every=$2 ;;
  --preset) preset=$2 ;;
  *) echo "usage: simulate.sh [--schedules N] [--seed FIRST] [--every N] [--preset PRESET]" >&2; exit 2 ;;
  esac
  shift 2
done
started=$SECONDS
scripts/build.sh "$preset" simulate explore || { echo "0 passed, 1 failed"; exit 1; }
bin=build/$preset/tests/simulation
log=$(mktemp -d)
trap 'rm -rf "$log"' EXIT
"$bin/explore" --all >"$log/explore" 2>&1 &
exploring=$!
passed=0
failed=0
count() { # NAME STATUS
  if [ "$2" -eq 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "$1: FAILED"; fi
}
"$bin/simulate" --schedules "$schedules" --seed "$seed"
count simulate $?
python3 docs/protocol/model.py --long
count model $?
wait "$exploring"
status=$?
cat "$log/explore"
count explore "$status"
processes=$(nproc)
shares=$((processes * every))
placing=()
for ((k = 0; k < processes; k++)); do
  "$bin/simulate" --placed all --share "$k/$shares" >"$log/placed.$k" 2>&1 &
  placing+=($!)
done
for ((k = 0; k < processes; k++)); do
  wait "${placing[k]}"
  status=$?
  cat "$log/placed.$k"
  count "placed, share $k of $shares" "$status"
done
echo "make simulate took $((SECONDS - started)) s"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
