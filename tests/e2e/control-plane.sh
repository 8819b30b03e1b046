#!/usr/bin/env bash
# A real Kubernetes and an independent Secrets Manager for the e2e tests, without containers.
#
#   control-plane.sh build       makes what is missing; prints the folder that holds the programs
#   control-plane.sh built       the same without making anything: ends with 1 where something is missing
#   control-plane.sh start DIR   a fresh cluster and moto, with everything of theirs in DIR; prints how to use them
#   control-plane.sh stop DIR    ends them (DIR stays, with its logs; start DIR then resumes with the same data)
#   control-plane.sh down DIR NAME | up DIR NAME
#                                one of: etcd kube-apiserver kube-controller-manager kube-scheduler kwok moto
#   control-plane.sh compact DIR compacts etcd's history up to now
#   control-plane.sh influxdb    makes a real InfluxDB 2 if it is missing; prints its program
#
# The programs come from KUBEBUILDER_ASSETS if that folder has them, else from ${XDG_CACHE_HOME:-~/.cache}/keyturn/e2e, where
# they are kept by version, else they are built into it from the Go modules pinned in tools/ (13 minutes on 2 cores, 0.5 GB).
# Kubernetes is taken as a whole: server, controller manager, scheduler and kubectl from one place, so that versions fit.
# InfluxDB is apart, since it needs Rust as well (its query language is a Rust library): 5 to 10 minutes, 130 MB. INFLUXD names one that is there.
#
# Exit status: 0 done, 1 failed, 2 wrong usage, 3 a prerequisite is missing and nothing ran (Go >= 1.26, Python 3, openssl; for InfluxDB
# also Rust >= 1.72 and a C compiler).
set -euo pipefail
shopt -s inherit_errexit

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here
readonly tools="$here/tools"
readonly cache="${XDG_CACHE_HOME:-$HOME/.cache}/keyturn/e2e"
readonly kubernetes_programs=(kube-apiserver kube-controller-manager kube-scheduler kubectl)
readonly kubernetes_packages=("${kubernetes_programs[@]/#/k8s.io/kubernetes/cmd/}")

say() { printf 'control-plane: %s\n' "$*" >&2; }

tests="E2E TESTS"  # whose prerequisites are looked for
only_look=''       # what is missing is not made
not_run() {  # what, and the remedy
  {
    printf '\n%s\n' "################################################################################"
    printf '##  THE %s DID NOT RUN: %s\n' "$tests" "$1"
    printf '##  %s\n' "$2"
    printf '%s\n\n' "################################################################################"
  } >&2
  exit 3
}

# Prints the version of module $2 that tools/$1/go.mod requires, without its v.
version_of() {
  sed -nE "s#^(require)?[[:space:]]*$2 v([^ ]+).*#\2#p" "$tools/$1/go.mod" | head -n 1
}

has_all() {  # folder program…
  local folder=$1 program
  shift
  for program in "$@"; do [ -x "$folder/$program" ] || return 1; done
}

need_python() {
  command -v python3 >/dev/null || not_run "Python 3 is missing." "Debian: scripts/deps.sh --e2e"
  command -v openssl >/dev/null || not_run "openssl is missing." "Debian: scripts/deps.sh --e2e"
}

# Puts a Go that is new enough on PATH. GOTOOLCHAIN=local: what is asked is what is installed here, not what could be fetched.
need_go() {
  local version
  command -v go >/dev/null || PATH=$PATH:/usr/local/go/bin:/usr/lib/go/bin
  command -v go >/dev/null || not_run "building $1 needs Go >= 1.26, and there is no go on PATH." \
    "Install Go, or point KUBEBUILDER_ASSETS at a folder with etcd, helm, kwok, ${kubernetes_programs[*]}."
  version=$(cd / && GOTOOLCHAIN=local go env GOVERSION)
  if [ "$(printf '%s\n' go1.26 "$version" | sort -V | head -n 1)" != go1.26 ]; then
    not_run "building $1 needs Go >= 1.26, and this is $version." "Install a newer Go first on PATH."
  fi
}

# Builds packages of tools/NAME into the folder OUT, whole or not at all.
go_build() {  # NAME OUT ldflags package…
  local name=$1 out=$2 ldflags=$3 fresh
  shift 3
  [ -z "$only_look" ] || { say "$name has not been built"; return 1; }
  need_go "$name"
  say "building $name (cold: minutes) …"
  fresh=$(mktemp -d "$cache/.building-$name.XXXXXX")
  if ! (cd "$tools/$name" && CGO_ENABLED=0 go build -trimpath -ldflags "-s -w $ldflags" -o "$fresh/" "$@"); then
    rm -rf "$fresh"
    say "building $name failed; see above"
    return 1
  fi
  "after_$name" "$fresh"
  rm -rf "$out"
  mv "$fresh" "$out"
}

after_kubernetes() { :; }
after_helm() { :; }
# Go names a program after its package's folder.
after_etcd() { mv "$1/server" "$1/etcd"; }
# KWOK plays nothing without stages; its own module has them.
after_kwok() {
  local module stage
  module=$(cd "$tools/kwok" && go list -m -f '{{.Dir}}' sigs.k8s.io/kwok)
  for stage in node/fast/node-initialize node/heartbeat-with-lease/node-heartbeat-with-lease \
    pod/fast/pod-ready pod/fast/pod-complete pod/fast/pod-delete pod/chaos/pod-container-running-failed; do
    cat "$module/kustomize/stage/$stage.yaml"
    printf -- '\n---\n'
  done >"$1/kwok-stages.yaml"
}

build_moto() {  # OUT
  [ -z "$only_look" ] || { say "moto has not been installed"; return 1; }
  say "installing moto …"
  rm -rf "$1"
  # A venv is not to be moved once made: its scripts name its folder. The stamp says that it is whole.
  if ! python3 -m venv "$1" || ! "$1/bin/python" -m pip install -q --disable-pip-version-check -r "$tools/moto/requirements.txt"; then
    rm -rf "$1"
    say "installing moto failed; see above (Debian: scripts/deps.sh --e2e installs python3-venv)"
    return 1
  fi
  touch "$1/whole"
}

# Prints the folder that holds NAME's programs, building it if need be.
folder_of() {  # NAME version ldflags "package…" program…
  local name=$1 version=$2 ldflags=$3 packages=$4 out
  shift 4
  if [ -n "${KUBEBUILDER_ASSETS:-}" ]; then
    if has_all "$KUBEBUILDER_ASSETS" "$@"; then
      printf '%s\n' "$KUBEBUILDER_ASSETS"
      return
    fi
    say "KUBEBUILDER_ASSETS has not all of: $*"
  fi
  out=$cache/$name-$version
  # shellcheck disable=SC2086  # packages is a list of import paths
  has_all "$out" "$@" || go_build "$name" "$out" "$ldflags" $packages >&2
  printf '%s\n' "$out"
}

# Makes what is missing and prints a folder of links to every program.
build() {
  need_python
  mkdir -p "$cache"
  exec 9>"$cache/.lock"
  flock 9
  rm -rf "$cache"/.building-*  # of a build that was cut short
  local kubernetes etcd kwok helm moto version stamp=k8s.io/component-base/version
  version=$(version_of kubernetes k8s.io/kubernetes)
  # Without the stamps the server says v0.0.0 and feature gates go wrong.
  kubernetes=$(folder_of kubernetes "$version" \
    "-X $stamp.gitVersion=v$version -X $stamp.gitMajor=${version%%.*} -X $stamp.gitMinor=$(cut -d. -f2 <<<"$version") -X k8s.io/client-go/pkg/version.gitVersion=v$version" \
    "${kubernetes_packages[*]}" "${kubernetes_programs[@]}")
  etcd=$(folder_of etcd "$(version_of etcd go.etcd.io/etcd/server/v3)" "" go.etcd.io/etcd/server/v3 etcd)
  kwok=$(folder_of kwok "$(version_of kwok sigs.k8s.io/kwok)" "" sigs.k8s.io/kwok/cmd/kwok kwok)
  helm=$(folder_of helm "$(version_of helm helm.sh/helm/v4)" "" helm.sh/helm/v4/cmd/helm helm)
  [ -e "$kwok/kwok-stages.yaml" ] || {
    say "$kwok has kwok but no kwok-stages.yaml (its stages, joined); take one of them out of KUBEBUILDER_ASSETS"
    return 1
  }
  moto=$cache/moto-$(sed -n 's/^moto==//p' "$tools/moto/requirements.txt")-$(python3 -c 'import sys; print("py%d.%d" % sys.version_info[:2])')
  [ -e "$moto/whole" ] || build_moto "$moto" >&2

  local links program
  links=$cache/bin-$(printf '%s\n' "$kubernetes" "$etcd" "$kwok" "$helm" "$moto" | sha256sum | cut -c1-12)
  mkdir -p "$links"
  for program in "${kubernetes_programs[@]}"; do ln -sfn "$kubernetes/$program" "$links/$program"; done
  ln -sfn "$etcd/etcd" "$links/etcd"
  ln -sfn "$kwok/kwok" "$links/kwok"
  ln -sfn "$kwok/kwok-stages.yaml" "$links/kwok-stages.yaml"
  ln -sfn "$helm/helm" "$links/helm"
  ln -sfn "$moto/bin/moto_server" "$links/moto_server"
  flock -u 9
  printf '%s\n' "$links"
}

# Puts a Rust on PATH that can build Flux, and names its toolchain to rustup: the module pins one that is not installed.
need_rust() {
  local version
  command -v cargo >/dev/null || PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin
  if ! command -v cargo >/dev/null || ! command -v rustc >/dev/null; then
    not_run "building InfluxDB needs Rust >= 1.72, and there is no cargo on PATH." "Install Rust, or name an influxd 2.7 in INFLUXD."
  fi
  if command -v rustup >/dev/null && [ -z "${RUSTUP_TOOLCHAIN:-}" ]; then
    RUSTUP_TOOLCHAIN=$(cd / && { rustup show active-toolchain 2>/dev/null || true; } | cut -d' ' -f1)
    [ -n "$RUSTUP_TOOLCHAIN" ] || not_run "rustup has no toolchain." "rustup default stable"
    export RUSTUP_TOOLCHAIN
  fi
  version=$(cd / && rustc --version | cut -d' ' -f2)
  if [ "$(printf '%s\n' 1.72 "$version" | sort -V | head -n 1)" != 1.72 ]; then
    not_run "building InfluxDB needs Rust >= 1.72, and this is $version." "Install a newer Rust first on PATH."
  fi
  command -v cc >/dev/null || not_run "building InfluxDB needs a C compiler." "Debian: scripts/deps.sh"
}

build_influxdb() {  # OUT version
  local out=$1 version=$2 fresh
  need_go InfluxDB
  need_rust
  say "building InfluxDB $version (cold: 5 to 10 minutes) …"
  fresh=$(mktemp -d "$cache/.making-influxdb.XXXXXX")
  # This pkg-config is a program of theirs: asked for flux it builds the library with cargo.
  if ! (cd "$tools/influxdb" && go build -trimpath -o "$fresh/tools/" github.com/influxdata/pkg-config &&
    PKG_CONFIG=$fresh/tools/pkg-config RUSTC_WRAPPER=$tools/influxdb/rustc-wrapper.sh CGO_ENABLED=1 go build -trimpath \
      -tags sqlite_foreign_keys,sqlite_json -ldflags "-s -w -X main.version=v$version" -o "$fresh/" \
      github.com/influxdata/influxdb/v2/cmd/influxd); then
    rm -rf "$fresh"
    say "building InfluxDB failed; see above"
    return 1
  fi
  rm -rf "$fresh/tools" "$out"
  mv "$fresh" "$out"
}

# Prints the influxd to use, building it if need be.
influxdb() {
  local version out
  tests="TESTS AGAINST A REAL INFLUXDB"
  if [ -n "${INFLUXD:-}" ]; then
    [ -x "$INFLUXD" ] || { say "INFLUXD=$INFLUXD is no program"; return 1; }
    printf '%s\n' "$INFLUXD"
    return
  fi
  mkdir -p "$cache"
  exec 9>"$cache/.lock-influxdb"  # of its own: nobody else waits so long
  flock 9
  rm -rf "$cache"/.making-influxdb.*  # of a build that was cut short
  version=$(version_of influxdb github.com/influxdata/influxdb/v2)
  out=$cache/influxdb-$version
  has_all "$out" influxd || build_influxdb "$out" "$version" >&2
  flock -u 9
  printf '%s\n' "$out/influxd"
}

usage() {
  sed -n '2,21s/^# \{0,1\}//p' "$0"
}

main() {
  local command=${1:-} bin
  case "$command" in
    build | built)
      [ $# -eq 1 ] || { usage >&2; exit 2; }
      [ "$command" = build ] || only_look=yes
      build
      ;;
    influxdb) [ $# -eq 1 ] || { usage >&2; exit 2; } ; influxdb ;;
    start | stop | compact) [ $# -eq 2 ] || { usage >&2; exit 2; } ;;
    up | down) [ $# -eq 3 ] || { usage >&2; exit 2; } ;;
    -h | --help) usage ;;
    *) usage >&2; exit 2 ;;
  esac
  case "$command" in
    start | stop | compact | up | down)
      bin=$(build)
      exec python3 "$here/control_plane.py" --programs "$bin" "$@"
      ;;
  esac
}

main "$@"
