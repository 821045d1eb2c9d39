#!/usr/bin/env bash
# Checks that this machine can build Murre. Installs missing Debian packages when it may, else says what to run.
set -euo pipefail

readonly RUST_NEEDED=1.91
missing_packages=()
problems=()

have() { command -v "$1" >/dev/null 2>&1; }

# version_at_least HAVE WANT
version_at_least() {
    [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

check_rust() {
    if ! have rustc || ! have cargo; then
        problems+=("Rust is missing. Install it from https://rustup.rs, version $RUST_NEEDED or newer.")
        return
    fi
    local version
    version=$(rustc --version | cut -d ' ' -f 2)
    if ! version_at_least "$version" "$RUST_NEEDED"; then
        problems+=("Rust $version is too old, $RUST_NEEDED is needed. Run: rustup update stable")
    fi
    cargo fmt --version >/dev/null 2>&1 || problems+=("rustfmt is missing. Run: rustup component add rustfmt")
    cargo clippy --version >/dev/null 2>&1 || problems+=("clippy is missing. Run: rustup component add clippy")
}

check_packages() {
    have cc || missing_packages+=(gcc libc6-dev)
    have make || missing_packages+=(make)
    if ! have pkg-config; then
        # Without it nobody can tell whether OpenSSL is there: ask for both, installing twice does no harm.
        missing_packages+=(pkg-config libssl-dev)
    elif ! pkg-config --exists openssl; then
        missing_packages+=(libssl-dev)
    fi
    # For the test that looks at the wire. Only root may capture, and without a capture that test looks at less.
    [ "$(id -u)" -ne 0 ] || have tcpdump || missing_packages+=(tcpdump)
    # For the test that has the service unit read by systemd.
    [ "$(id -u)" -ne 0 ] || have systemd-analyze || missing_packages+=(systemd)
    # For the test in which a machine changes its network.
    [ "$(id -u)" -ne 0 ] || have ip || missing_packages+=(iproute2)
    # For the tests with a real keyring, in a session of their own. Without them those tests are skipped.
    if [ "$(id -u)" -eq 0 ]; then
        have dbus-run-session || missing_packages+=(dbus)
        have gnome-keyring-daemon || missing_packages+=(gnome-keyring)
    fi
}

install_packages() {
    [ "${#missing_packages[@]}" -gt 0 ] || return 0
    if [ "$(id -u)" -eq 0 ] && have apt-get; then
        echo "setup: installing ${missing_packages[*]}"
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -qq
        apt-get install -y -qq --no-install-recommends "${missing_packages[@]}" >/dev/null
    elif have apt-get; then
        problems+=("Packages are missing. Run: sudo apt-get update && sudo apt-get install -y ${missing_packages[*]}")
    else
        problems+=("A C compiler, make, pkg-config and the OpenSSL headers are needed; on Debian these are: ${missing_packages[*]}")
    fi
}

check_rust
check_packages
install_packages

if [ "${#problems[@]}" -gt 0 ]; then
    printf 'setup: %s\n' "${problems[@]}" >&2
    exit 1
fi
echo "setup: rust $(rustc --version | cut -d ' ' -f 2), $(cc --version | head -n 1), OpenSSL $(pkg-config --modversion openssl)"
