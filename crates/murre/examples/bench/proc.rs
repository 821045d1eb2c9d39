//! Processes of the program, as the benchmarks start and stop them.

use crate::table::Result;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// Longest wait for anything: reached only when something is broken.
pub const PATIENCE: Duration = Duration::from_secs(60);

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
