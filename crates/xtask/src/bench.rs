//! Runs a benchmark program of this workspace and checks that it printed what it promises.
//!
//! What is measured is never this process: it builds the program that people use and the program that drives it, and
//! starts the second with the path of the first.

use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The rows of part `e2e`, each exactly once.
const E2E: [&str; 12] = [
    "disk_fsync_p50_ms",
    "connect_ms",
    "direct_p50_ms",
    "direct_p99_ms",
    "wire_bytes_per_100b",
    "direct_sustained_per_s",
    "file_mb_per_s",
    "file_1gib_ratio",
    "file_resume_extra_chunks",
    "mailbox_p50_ms",
    "mailbox_p95_ms",
    "offline_catchup_ms",
];

/// The rows of part `app`, each exactly once.
const APP: [&str; 4] = ["start_100k_ms", "open_chat_100k_ms", "rss_idle_mb", "search_1m_ms"];

/// Part `e2e`: two homes and eight nodes, each a process of its own.
///
/// # Errors
/// See [`drive`].
pub fn e2e(root: &Path, json: bool, smoke: bool) -> Result<()> {
    drive(root, "bench_e2e", &E2E, json, smoke)
}

/// Part `app`: one home with many messages, a process of its own.
///
/// # Errors
/// See [`drive`].
pub fn app(root: &Path, json: bool, smoke: bool) -> Result<()> {
    drive(root, "bench_app", &APP, json, smoke)
}

/// Builds the program and the one that drives it, and checks what is printed.
///
/// # Errors
/// Something does not build, the drive fails, or a row is missing or printed twice.
fn drive(root: &Path, example: &str, rows: &[&str], json: bool, smoke: bool) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(&cargo);
    build.current_dir(root).args(["build", "--quiet", "--locked", "-p", "murre-cli", "-p", "murre"]);
    // One call for both, so that both see the same features and nothing is built twice.
    build.args(["--bin", "murre", "--example", example]);
    if !smoke {
        build.arg("--release");
    }
    if !build.status().context("cargo does not start")?.success() {
        bail!("the benchmark does not build");
    }
    let made = target(root).join(if smoke { "debug" } else { "release" });
    let mut drive = Command::new(made.join("examples").join(example));
    drive.arg(made.join("murre"));
    drive.args(json.then_some("--json")).args(smoke.then_some("--smoke"));
    let printed = echo(&mut drive)?;
    match wrong(rows, &printed).as_slice() {
        [] => Ok(()),
        rows => bail!("not printed exactly once: {}", rows.join(", ")),
    }
}

/// Where cargo puts what it makes.
pub fn target(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from)
}

/// Runs a program that must succeed; what it prints is passed on as it comes, and kept.
fn echo(command: &mut Command) -> Result<Vec<String>> {
    let mut child = command.stdout(Stdio::piped()).spawn().context("the driving program does not start")?;
    let mut printed = Vec::new();
    for line in child.stdout.take().into_iter().flat_map(|out| BufReader::new(out).lines()) {
        let line = line?;
        println!("{line}");
        printed.push(line);
    }
    if !child.wait()?.success() {
        bail!("the driving program failed");
    }
    Ok(printed)
}

/// The row names of `rows` that do not begin exactly one line, as JSON or in a table.
fn wrong<'a>(rows: &[&'a str], printed: &[String]) -> Vec<&'a str> {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for line in printed {
        let name = line.strip_prefix("{\"name\":\"").unwrap_or(line);
        let end = name.find(|c: char| c == '"' || c.is_whitespace()).unwrap_or(name.len());
        *seen.entry(&name[..end]).or_default() += 1;
    }
    rows.iter().copied().filter(|row| seen.get(row) != Some(&1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_is_missing_or_printed_twice_is_found_in_both_forms() {
        let json = ["{\"name\":\"a_ms\",\"value\":1}", "{\"name\":\"b_ms\",\"value\":1}"].map(str::to_owned);
        assert!(wrong(&["a_ms", "b_ms"], &json).is_empty());
        assert_eq!(wrong(&["a_ms", "b_ms", "c_ms", "a"], &json), ["c_ms", "a"]);
        let table = ["row     value", "a_ms        1", "b_ms        2", "b_ms        3"].map(str::to_owned);
        assert_eq!(wrong(&["a_ms", "b_ms"], &table), ["b_ms"]);
    }
}
