#!/usr/bin/env bash
# build.sh PRESET [TARGET…]: configures and builds; without targets the two programs. ccache is used where it is installed.
set -euo pipefail
cd "$(dirname "$0")/.."
preset=$1
shift
launcher=()
if command -v ccache >/dev/null; then
  launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
  export CCACHE_BASEDIR="$PWD" CCACHE_NOHASHDIR=1  # two checkouts share what they compile
fi
cmake --preset "$preset" "${launcher[@]}" >"build-$preset.log" 2>&1 || { cat "build-$preset.log"; exit 1; }
rm -f "build-$preset.log"
if [ $# -eq 0 ]; then set -- keyturn keyturn-sandbox; fi
cmake --build "build/$preset" --parallel "${JOBS:-$(nproc)}" --target "$@"
