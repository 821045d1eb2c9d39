#!/usr/bin/env bash
# Everything that has to hold, in the order in which a failure is cheapest to learn. Each stage is named and timed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

times=()
current=""

# What ran and how long, also when a stage failed.
report() {
    local status=$?
    [ "${#times[@]}" -eq 0 ] || printf '%s\n' "" "time per stage:" "${times[@]}"
    if [ "$status" -eq 0 ]; then
        echo "all stages passed in ${SECONDS} s"
    else
        echo "FAILED in stage: ${current}" >&2
    fi
}
trap report EXIT

# stage NAME COMMAND...
stage() {
    current=$1
    shift
    local start=$SECONDS
    printf '\n=== %s: %s\n' "$current" "$*"
    local status=0
    "$@" || status=$?
    times+=("$(printf '%6d s  %s' $((SECONDS - start)) "$current")")
    [ "$status" -eq 0 ] || exit "$status"
}

stage setup scripts/setup.sh
stage format cargo fmt --all --check
stage tidy cargo run --locked --quiet -p xtask -- tidy
stage lint cargo clippy --locked --workspace --all-targets -- -D warnings
stage test cargo test --locked --workspace
# Faults that only a hostile member or a delay would show in a run: their crates' own checks must fail with them.
stage planted cargo test --locked -p murre-log -p murre-mailbox \
    --features murre-log/sabotage,murre-mailbox/sabotage planted
if [ -f crates/murre-sim/src/main.rs ]; then
    stage simulate cargo run --locked -p murre-sim --features sabotage -- ci
fi
# Not a measurement: it shows that real processes can be driven through everything that is measured.
