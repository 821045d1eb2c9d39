//! Runs the soak: the shipped program in many processes that are killed, stopped and wiped while everybody writes.
//!
//! The program that does it is an example of `murre-cli`, beside the tests that drive processes in the same way.

use crate::bench::target;
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Command;

/// Builds both programs and plays for that many minutes; what they print is what there is to know.
///
/// # Errors
/// Something does not build, or what was delivered is not what was sent.
pub fn run(root: &Path, minutes: f64, seed: u64) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.current_dir(root).args(["build", "--quiet", "--locked", "-p", "murre-cli"]);
    build.args(["--bin", "murre", "--example", "soak"]);
    if !build.status().context("cargo does not start")?.success() {
        bail!("the soak does not build");
    }
    let made = target(root).join("debug");
    let mut soak = Command::new(made.join("examples/soak"));
    soak.arg(made.join("murre")).args(["--minutes", &minutes.to_string(), "--seed", &seed.to_string()]);
    if !soak.status().context("the soak does not start")?.success() {
        bail!("the soak failed");
    }
    Ok(())
}
