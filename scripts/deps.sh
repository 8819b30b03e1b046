#!/usr/bin/env bash
# Installs the Debian 12 packages that Keyturn needs, and only those that are missing.
#
#   scripts/deps.sh                 what building and the quick start need
#   scripts/deps.sh --test          … and `make test`: fuzzing, promtool, the signer's independent witness
#   scripts/deps.sh --e2e           … and `make e2e` (Go >= 1.26 is not a Debian 12 package: see README)
#   scripts/deps.sh --lint          … and `make lint`
#   scripts/deps.sh --list [group…] prints the packages instead, one per line (the Dockerfile's source)
#
# Groups add up. Needs root or sudo when something is missing; otherwise it does nothing, quickly.
# Exit status: 0 everything is there, 1 it could not be installed, 2 wrong usage.
set -euo pipefail

build=(
  ca-certificates curl tzdata
  g++ cmake make ninja-build pkg-config ccache
  libcurl4-openssl-dev libssl-dev nlohmann-json3-dev libyaml-cpp-dev libpugixml-dev
  libspdlog-dev libfmt-dev libcli11-dev libcpp-httplib-dev prometheus-cpp-dev
  libhowardhinnant-date-dev libgtest-dev libbenchmark-dev
)
# prometheus is here for promtool, redis-server for the sandbox, which starts its own; see install_missing() about
# their daemons. python3-botocore is the signer's witness.
tests=(clang libclang-rt-14-dev prometheus python3 python3-botocore python3-yaml openssl redis-server)
e2e=(git openssl prometheus python3 python3-venv python3-yaml)
lint=(clang clang-format clang-tidy git python3 python3-yaml shellcheck)

usage() {
  sed -n '2,11s/^# \{0,1\}//p' "$0"
}

# The daemons that a package of ours would start. Only their programs are wanted, so a fresh install must leave nothing
# running, now or after a reboot. One that was there before is somebody's own and is left as it is.
readonly daemons=(prometheus redis-server)
readonly policy=/usr/sbin/policy-rc.d

install_missing() {
  local as_root=() made_policy='' status=0 package
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
      printf 'deps: these packages are missing, and this needs root or sudo. As root, run:\n  apt-get install --no-install-recommends %s\n' "$*" >&2
      return 1
    fi
    as_root=(sudo)
  fi
  printf 'deps: installing %s\n' "$*"
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod 0755 "$policy"
    made_policy=yes
  fi
  {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Acquire::Retries=3 update &&
      "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o Acquire::Retries=3 \
        -o Dpkg::Use-Pty=0 install --no-install-recommends "$@" >/dev/null
  } || status=1
  [ -z "$made_policy" ] || "${as_root[@]}" rm -f "$policy"
  for package in "${daemons[@]}"; do
    # Named on the command line means it was missing before: then it is ours to keep from starting at boot.
    case " $* " in
      *" $package "*) [ ! -e "/lib/systemd/system/$package.service" ] || ! command -v systemctl >/dev/null ||
        "${as_root[@]}" systemctl --quiet disable "$package" || status=1 ;;
    esac
  done
  return "$status"
}

main() {
  local wanted=("${build[@]}") list='' argument package
  for argument in "$@"; do
    case "$argument" in
      --test) wanted+=("${tests[@]}") ;;
      --e2e) wanted+=("${e2e[@]}") ;;
      --lint) wanted+=("${lint[@]}") ;;
      --list) list=yes ;;
      -h | --help) usage; return 0 ;;
      *) printf 'deps: unknown argument %s\n' "$argument" >&2; usage >&2; return 2 ;;
    esac
  done
  mapfile -t wanted < <(printf '%s\n' "${wanted[@]}" | sort -u)
  if [ -n "$list" ]; then
    printf '%s\n' "${wanted[@]}"
    return 0
  fi
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    printf 'deps: this is not Debian; install what provides: %s\n' "${wanted[*]}" >&2
    return 1
  fi
  local missing=() installed
  installed=$(dpkg-query -W -f='${Package} ${db:Status-Status}\n' "${wanted[@]}" 2>/dev/null) || :  # some unknown to dpkg
  for package in "${wanted[@]}"; do
    grep -qxF "$package installed" <<<"$installed" || missing+=("$package")
  done
  [ "${#missing[@]}" -gt 0 ] || return 0
  install_missing "${missing[@]}" || {
    printf 'deps: could not install: %s\n' "${missing[*]}" >&2
    return 1
  }
}

main "$@"
