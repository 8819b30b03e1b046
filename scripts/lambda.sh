#!/usr/bin/env bash
# Builds the package of the Lambda form: build/lambda/keyturn-lambda.zip, and beside it the IAM policies for each strategy.
#
#   SECRET=arn:aws:secretsmanager:… FUNCTION=name scripts/lambda.sh [OUTPUT FOLDER]     KEYTURN=PROGRAM packs that program
#
# Self-contained: the program runs with its own loader, C library, shared libraries and certificates, so that the runtime
# (provided.al2023, of the architecture that this ran on) needs to have none of them, nor of their versions.
set -euo pipefail
cd "$(dirname "$0")/.."
program=$(readlink -f "${KEYTURN:-build/release/bin/keyturn}")
secret=${SECRET:-arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop/*}
function=${FUNCTION:-keyturn-rotation}
out=$(readlink -m "${1:-build/lambda}")
strategies=(astraToken elasticacheUser generic influxdbToken influxdbUser)

rm -rf "$out"
mkdir -p "$out/package/lib"
cd "$out/package"
install -m 755 "$program" keyturn
strip keyturn

# "libz.so.1 => /lib/…/libz.so.1 (0x…)", and the loader: "/lib64/ld-linux-x86-64.so.2 (0x…)"
loader=''
while read -r name arrow path _; do
  case "$name $arrow" in
    linux-vdso*) ;;
    /*) loader=$(basename "$name"); install -m 755 "$(readlink -f "$name")" "lib/$loader" ;;
    *'=>') install -m 755 "$(readlink -f "$path")" "lib/$name" ;;
  esac
done < <(ldd keyturn)
[ -n "$loader" ] || { echo "lambda: ldd names no loader for $program" >&2; exit 1; }
install -m 644 /etc/ssl/certs/ca-certificates.crt ca-certificates.crt

cat >bootstrap <<END
#!/bin/sh
# What Lambda starts: keyturn under the name that makes it a rotation function, with nothing but what lies beside this file.
root=\$(dirname "\$0")
export SSL_CERT_FILE="\${SSL_CERT_FILE:-\$root/ca-certificates.crt}"
exec "\$root/lib/$loader" --inhibit-cache --argv0 bootstrap --library-path "\$root/lib" "\$root/keyturn"
END
chmod 755 bootstrap

# Whatever is loaded comes from the package.
strays=$("$PWD/lib/$loader" --inhibit-cache --library-path "$PWD/lib" --list "$PWD/keyturn" | awk -v own="$PWD/lib/" '!/vdso/ && index($0, own) == 0')
[ -z "$strays" ] || { printf 'lambda: not in the package:\n%s\n' "$strays" >&2; exit 1; }
# And where nothing else exists at all, it runs.
alone() { "$@" chroot "$PWD" "/lib/$loader" --inhibit-cache --library-path /lib /keyturn version; }
if alone unshare --user --map-root-user >/dev/null 2>&1 || alone env >/dev/null 2>&1; then
  echo "lambda: runs in a folder that holds nothing but the package"
else
  echo "lambda: NOT TRIED in a folder of its own (neither root nor user namespaces)"
fi

cmake -E tar cf ../keyturn-lambda.zip --format=zip --mtime=2026-01-01 bootstrap keyturn ca-certificates.crt lib
cd ..
for strategy in "${strategies[@]}"; do
  for part in role invoke; do
    "$program" secret iam "$secret" --strategy "$strategy" --lambda "$function" --part "$part" >"$strategy-$part.json"
  done
done
"$program" secret iam "$secret" --strategy generic --lambda "$function" --part trust >trust.json
printf 'lambda: %s, %s KiB, %s KiB unpacked (Lambda takes 51200 and 256000)\n' "$out/keyturn-lambda.zip" \
  "$(du -k keyturn-lambda.zip | cut -f1)" "$(du -sk package | cut -f1)"
