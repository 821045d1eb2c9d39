//! Tests that need something of the system: they run, or say aloud that they did not.

use std::io::Write;

/// `1` where nothing may be skipped (`scripts/test.sh` says so for root): then what is missing is a failure.
const ALL: &str = "MURRE_TEST_ALL";

/// Says that a test is not run and why. Standard error itself, for the harness keeps what a passing test prints.
pub fn skipped(test: &str, why: &str) {
    assert!(
        std::env::var_os(ALL).is_none_or(|all| all != "1"),
        "{test} cannot run, and {ALL} says that it must: {why}"
    );
    let _ = writeln!(std::io::stderr().lock(), "\nSKIPPED {test}: {why}");
}
