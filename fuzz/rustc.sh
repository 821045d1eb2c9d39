#!/usr/bin/env bash
# Between cargo and rustc: the crates of this repository are compiled with libFuzzer's counters, everything else as it is.
# Build scripts run without libFuzzer, so they get no counters.
set -euo pipefail
if [[ "${CARGO_PKG_NAME:-}" == murre* && "$*" != *"--crate-name build_script_build"* ]]; then
    exec "$@" -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
        -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
        -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1
fi
exec "$@"
