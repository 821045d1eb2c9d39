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

# at_least COUNT WORD COMMAND...: a run of tests in which so many that pass have the word in their names.
at_least() {
    local count=$1 word=$2 said ran status=0
    shift 2
    said=$(mktemp)
    "$@" | tee "$said" || status=$?
    ran=$(grep -c "^test .*${word}.* \.\.\. .*ok" "$said") || true
    rm -f "$said"
    [ "$status" -eq 0 ] || return "$status"
    if [ "$ran" -lt "$count" ]; then
        echo "only ${ran} tests with '${word}' in their names ran; ${count} must" >&2
        return 1
    fi
}

stage setup scripts/setup.sh

# Tests of full disks and of a change of network need root. Where this is root, none of them may be skipped; a root
# that may not mount or make a network (a container without the right) is told aloud, here and by each test that is
# skipped.
may_mount() {
    local dir status=0
    dir=$(mktemp -d)
    mount -t tmpfs tmpfs "$dir" 2>/dev/null && umount "$dir" || status=1
    rmdir "$dir"
    return "$status"
}
may_network() {
    local name="murre-may-$$" status=0
    ip netns add "$name" 2>/dev/null || return 1
    ip -n "$name" link add "one" type veth peer name "two" 2>/dev/null || status=1
    ip netns del "$name"
    return "$status"
}
readonly NEED_ROOT="tests of full disks and of a change of network"
if [ "$(id -u)" -eq 0 ] && [ -z "${MURRE_TEST_ALL+set}" ]; then
    if may_mount && may_network; then
        export MURRE_TEST_ALL=1
    else
        echo "NOTE: root, but without the right to mount or to make a network: ${NEED_ROOT} will be SKIPPED" >&2
    fi
elif [ "$(id -u)" -ne 0 ]; then
    echo "NOTE: not root: ${NEED_ROOT} will be SKIPPED" >&2
fi

stage format cargo fmt --all --check
stage tidy cargo run --locked --quiet -p xtask -- tidy
stage lint cargo clippy --locked --workspace --all-targets -- -D warnings
stage test cargo test --locked --workspace
# Faults that only a hostile member or a delay would show in a run: their crates' own checks must fail with them.
stage planted at_least 4 planted cargo test --locked \
    -p murre-log -p murre-mailbox -p murre-custodian \
    --features murre-log/sabotage,murre-mailbox/sabotage,murre-custodian/sabotage planted
stage planted-group at_least 2 sabotage cargo test --locked \
    -p murre-group --features murre-group/sabotage sabotage
if [ -f crates/murre-sim/src/main.rs ]; then
    stage simulate cargo run --locked -p murre-sim --features sabotage -- ci
fi
# The end-to-end smoke is not part of it: it does not reach its end in every run (docs/benchmarks.md).
