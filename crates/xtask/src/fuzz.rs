//! Runs the targets of `murre-fuzz` under libFuzzer, and keeps their corpus.
//!
//! `cargo test -p murre-fuzz` needs none of this: it replays the corpus and mutates without coverage. This is the
//! longer hunt. What it finds goes to `target/fuzz/`; `keep` takes into the tree what reaches new code.

use crate::bench::target;
use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Resident memory at which libFuzzer stops, MiB.
const MEMORY: u32 = 2_048;
/// Seconds after which one input counts as a hang.
const HANG: u32 = 20;
/// Longest input that is tried, bytes.
const LONGEST: u32 = 64 << 10;
/// Longest input that is kept in the tree, bytes: the corpus as a whole stays below 2 MiB.
const LONGEST_KEPT: u32 = 2_048;

/// What to do.
#[derive(Clone, Debug)]
pub enum What {
    /// Write the seeds into the corpus.
    Seeds,
    /// Take what was found into the corpus, where it reaches code that nothing else reaches.
    Keep,
    /// Fuzz one target, or each.
    Run {
        /// Only this one.
        name: Option<String>,
        /// For each target.
        minutes: f64,
    },
}

/// Does it.
///
/// # Errors
/// Something does not build, or a target failed; its input lies where the message says.
pub fn run(root: &Path, what: What) -> Result<()> {
    if matches!(what, What::Seeds) {
        return murre_fuzz(root, &["seeds", "fuzz/corpus"]).map(drop);
    }
    let driver = build(root)?;
    let list = murre_fuzz(root, &["list"])?;
    let all: Vec<&str> = list.lines().collect();
    match what {
        What::Seeds => Ok(()),
        What::Keep => all.into_iter().try_for_each(|name| keep(root, &driver, name)),
        What::Run { name: Some(name), minutes } if all.contains(&name.as_str()) => {
            hunt(root, &driver, &name, minutes)
        }
        What::Run { name: Some(name), .. } => {
            bail!("there is no target {name}; there are: {}", all.join(" "))
        }
        What::Run { name: None, minutes } => {
            let failed: Vec<&str> =
                all.into_iter().filter(|name| hunt(root, &driver, name, minutes).is_err()).collect();
            if failed.is_empty() { Ok(()) } else { bail!("failed: {}", failed.join(" ")) }
        }
    }
}

fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs the program of the crate and gives what it prints.
fn murre_fuzz(root: &Path, args: &[&str]) -> Result<String> {
    let mut command = cargo();
    command.current_dir(root).args(["run", "--quiet", "--locked", "-p", "murre-fuzz", "--"]).args(args);
    let out = command.stderr(std::process::Stdio::inherit()).output().context("cargo does not start")?;
    if !out.status.success() {
        bail!("murre-fuzz {} failed", args.join(" "));
    }
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}

/// Builds the driver with counters in our crates. Libraries are shared with the ordinary build.
fn build(root: &Path) -> Result<PathBuf> {
    let mut command = cargo();
    command.current_dir(root.join("fuzz")).env("RUSTC_WRAPPER", root.join("fuzz/rustc.sh"));
    command.args(["build", "--quiet", "--locked", "--target-dir"]).arg(target(root));
    if !command.status().context("cargo does not start")?.success() {
        bail!("the libFuzzer driver does not build; it needs a C++ compiler");
    }
    Ok(target(root).join("debug/murre-fuzz-driver"))
}

fn libfuzzer(root: &Path, driver: &Path, name: &str) -> Result<(Command, PathBuf)> {
    let out = target(root).join("fuzz");
    fs::create_dir_all(out.join(name))?;
    let mut command = Command::new(driver);
    command.current_dir(root).env("MURRE_FUZZ_TARGET", name);
    command.arg(format!("-rss_limit_mb={MEMORY}")).arg(format!("-timeout={HANG}"));
    Ok((command, out))
}

/// Looks for an input that fails, for so long.
fn hunt(root: &Path, driver: &Path, name: &str, minutes: f64) -> Result<()> {
    let (mut command, out) = libfuzzer(root, driver, name)?;
    let log = out.join(format!("{name}.log"));
    let mut prefix = OsString::from("-artifact_prefix=");
    prefix.push(out.join(format!("failed-{name}-")));
    command.arg(prefix).args(["-print_final_stats=1", "-use_value_profile=1"]);
    command
        .arg(format!("-max_total_time={:.0}", (minutes * 60.0).max(1.0)))
        .arg(format!("-max_len={LONGEST}"));
    command.arg(out.join(name)).arg(root.join("fuzz/corpus").join(name));
    let status = command.stderr(File::create(&log)?).status().context("the driver does not start")?;
    let said = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    println!("{}", summary(name, &said));
    if !status.success() {
        for line in
            said.lines().filter(|line| line.contains("panicked") || line.contains("Test unit written"))
        {
            println!("  {line}");
        }
        bail!("{name} failed: {}", log.display());
    }
    Ok(())
}

/// Executions, and how many places in the code were reached at the beginning and at the end.
fn summary(name: &str, said: &str) -> String {
    let after = |line: &str, key: &str| {
        let rest = line.split_once(key).map(|(_, rest)| rest.trim_start());
        rest.and_then(|rest| rest.split_whitespace().next()).map(str::to_owned)
    };
    let first = |key: &str| said.lines().find_map(|line| after(line, key)).unwrap_or_else(|| "?".to_owned());
    let last =
        |key: &str| said.lines().rev().find_map(|line| after(line, key)).unwrap_or_else(|| "?".to_owned());
    format!(
        "{name:14} {:>9} executions, cov {} -> {}, peak {} MiB",
        last("stat::number_of_executed_units:"),
        first(" cov:"),
        last(" cov:"),
        last("stat::peak_rss_mb:"),
    )
}

/// Merges what was found into the corpus.
fn keep(root: &Path, driver: &Path, name: &str) -> Result<()> {
    let (mut command, out) = libfuzzer(root, driver, name)?;
    let corpus = root.join("fuzz/corpus").join(name);
    command.args(["-merge=1"]).arg(format!("-max_len={LONGEST_KEPT}")).arg(&corpus).arg(out.join(name));
    command.stderr(File::create(out.join(format!("{name}-keep.log")))?);
    if !command.status().context("the driver does not start")?.success() {
        bail!("{name}: merging failed");
    }
    println!("{name:14} {} inputs", fs::read_dir(corpus)?.count());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_has_what_libfuzzer_said_first_and_last() {
        let said = "#2\tINITED cov: 11 ft: 12\n#90\tNEW    cov: 40 ft: 60\nstat::number_of_executed_units: 90\nstat::peak_rss_mb:              55\n";
        let line = summary("content", said);
        assert_eq!(line, "content               90 executions, cov 11 -> 40, peak 55 MiB");
        assert!(summary("content", "").contains('?'));
    }
}
