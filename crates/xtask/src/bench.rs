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

/// The rows of part `app`, each exactly once. Those of a browser come with a web client.
const APP: [&str; 9] = [
    "disk_fsync_p50_ms",
    "rss_idle_mb",
    "idle_cpu_s_per_min",
    "idle_bytes_per_min",
    "events_per_s",
    "api_unary_p50_ms",
    "start_100k_ms",
    "open_chat_100k_ms",
    "search_1m_ms",
];

/// The rows of part `node`, each exactly once.
const NODE: [&str; 5] =
    ["disk_fsync_p50_ms", "put_per_s", "get_per_s", "get_one_per_s", "bytes_per_box_overhead"];

/// How a part is run.
#[derive(Clone, Copy)]
pub struct How {
    /// One JSON object a line.
    pub json: bool,
    /// A few of each, with the development build.
    pub smoke: bool,
    /// Beside it, in the same run, toxcore.
    pub toxcore: bool,
}

/// Part `e2e`: two homes and eight nodes, each a process of its own.
///
/// # Errors
/// Something does not build, the drive fails, or a row is missing or printed twice.
pub fn e2e(root: &Path, how: How) -> Result<()> {
    program(root, "bench_e2e", &E2E, how)
}

/// Part `app`: one home with many messages and one that does nothing, each a process of its own.
///
/// # Errors
/// As [`e2e`].
pub fn app(root: &Path, how: How) -> Result<()> {
    program(root, "bench_app", &APP, how)
}

/// Part `node`: the machine of a node over its store in one process, and bare SQLite beside it.
///
/// # Errors
/// As [`e2e`]; toxcore has no such part.
pub fn node(root: &Path, how: How) -> Result<()> {
    if how.toxcore {
        bail!("toxcore has no nodes that keep anything: there is nothing to lay beside this part");
    }
    let made = build(root, how.smoke, &["-p", "murre"], "bench_node")?;
    run(Command::new(made.join("examples/bench_node")), &NODE, how)
}

/// A part that is driven through the program that people use.
fn program(root: &Path, example: &str, rows: &[&str], how: How) -> Result<()> {
    // One call for both, so that both see the same features and nothing is built twice.
    let made = build(root, how.smoke, &["-p", "murre-cli", "-p", "murre", "--bin", "murre"], example)?;
    let mut drive = Command::new(made.join("examples").join(example));
    drive.arg(made.join("murre"));
    if how.toxcore {
        drive.arg("--toxcore").arg(toxcore(root)?);
    }
    run(drive, rows, how)
}

/// Builds what is measured and the program that drives it; answers where they are.
fn build(root: &Path, smoke: bool, what: &[&str], example: &str) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(&cargo);
    build.current_dir(root).args(["build", "--quiet", "--locked"]).args(what).args(["--example", example]);
    if !smoke {
        build.arg("--release");
    }
    if !build.status().context("cargo does not start")?.success() {
        bail!("the benchmark does not build");
    }
    Ok(target(root).join(if smoke { "debug" } else { "release" }))
}

/// Builds our own program that measures toxcore, with the library of this system; answers where it is.
fn toxcore(root: &Path) -> Result<PathBuf> {
    let source = root.join("crates/murre/examples/bench/toxcore.c");
    let made = target(root).join("bench-toxcore");
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let mut build = Command::new(&compiler);
    build.args(["-std=c11", "-O2", "-Wall", "-Wextra", "-o"]).arg(&made).arg(&source).arg("-ltoxcore");
    let built = build.status().with_context(|| format!("{} does not start", compiler.display()))?;
    if !built.success() {
        bail!(
            "{} does not build: toxcore and its headers must be installed (Debian: apt-get install libtoxcore-dev); \
             without --with-toxcore nothing is laid beside the rows",
            source.display()
        );
    }
    Ok(made)
}

/// Runs the driving program and judges what it printed.
fn run(mut drive: Command, rows: &[&str], how: How) -> Result<()> {
    drive.args(how.json.then_some("--json")).args(how.smoke.then_some("--smoke"));
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
