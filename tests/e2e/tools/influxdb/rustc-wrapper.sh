#!/bin/sh
# RUSTC_WRAPPER for Flux's library: its sources deny warnings, and newer compilers have more of them. RUSTFLAGS would not do: it does
# not reach the crates that run at build time.
exec "$@" --cap-lints=warn
