//! What the benchmarks share: the table that they print, and processes of the program.
//!
//! ```text
//!   bench_app, bench_e2e --rows--> Table --> standard output, a line each, for people or as JSON
//!                        --Proc--> murre ... --json --while-stdin
//! ```
//!
//! It measures nothing.

use serde::Serialize;
use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Longest wait for anything: reached only when something is broken.
pub const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    value: f64,
    unit: &'a str,
    method: &'a str,
    n: usize,
    reference: Option<()>,
}

/// Rows as they are measured, on standard output.
pub struct Table {
    json: bool,
    begun: bool,
}

impl Table {
    pub fn new(json: bool) -> Self {
        Self { json, begun: false }
    }

    pub fn row(&mut self, name: &str, value: f64, unit: &str, n: usize, method: &str) -> Result<()> {
        let value = (value * 1_000.0).round() / 1_000.0;
        let mut out = std::io::stdout().lock();
        if self.json {
            let row = Row { name, value, unit, method, n, reference: None };
            writeln!(out, "{}", serde_json::to_string(&row)?)?;
        } else {
            if !std::mem::replace(&mut self.begun, true) {
                writeln!(out, "{:<24}{:>12}  {:<10}{:>7}  method", "row", "value", "unit", "n")?;
            }
            writeln!(out, "{name:<24}{value:>12}  {unit:<10}{n:>7}  {method}")?;
        }
        Ok(out.flush()?)
    }
}

/// In ms; the nearest rank, so that it is a time that was measured.
pub fn percentile(times: &mut [Duration], percent: usize) -> f64 {
    times.sort_unstable();
    let rank = (times.len() * percent).div_ceil(100).max(1);
    times.get(rank - 1).map_or(f64::NAN, |time| time.as_secs_f64() * 1_000.0)
}

/// A child that stops when its standard input ends, and dies with this process.
pub struct Proc {
    log: PathBuf,
    pub child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Proc {
    /// Starts it and waits until it is ready; with what it said then.
    pub async fn start(murre: &Path, args: &[&str], log: &Path) -> Result<(Self, serde_json::Value)> {
        let errors = std::fs::OpenOptions::new().create(true).append(true).open(log)?;
        let mut command = Command::new(murre);
        command.arg("--json").args(args).arg("--while-stdin").kill_on_drop(true);
        command.env_remove("MURRE_HOME").env_remove("MURRE_PASSPHRASE_FILE");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors).spawn()?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("no standard output")?).lines();
        let line = timeout(PATIENCE, lines.next_line()).await;
        let line = line.map_err(|_| format!("`murre {}` does not become ready", args.join(" ")))??;
        let line = line.ok_or_else(|| format!("`murre {}` ended: {}", args.join(" "), said(log)))?;
        Ok((Self { log: log.to_owned(), child, lines }, serde_json::from_str(&line)?))
    }

    pub async fn stop(&mut self) -> Result<()> {
        drop(self.child.stdin.take());
        while timeout(PATIENCE, self.lines.next_line()).await??.is_some() {}
        let status = timeout(PATIENCE, self.child.wait()).await??;
        if status.success() {
            Ok(())
        } else {
            Err(format!("a process ended with {status}: {}", said(&self.log)).into())
        }
    }
}

fn said(log: &Path) -> String {
    std::fs::read_to_string(log).unwrap_or_default()
}
