//! toxcore beside our own rows: runs `toxcore.c`, which `cargo xtask bench` has built, and reads what it prints.
//!
//! It runs before anything of ours is started, so that neither takes time from the other.

use crate::table::{Reference, Result, Table};
use std::collections::BTreeMap;
use std::path::Path;
use tokio::process::Command;

/// What it measured, by name.
pub struct Figures(BTreeMap<String, f64>);

impl Figures {
    /// Runs a part of it.
    pub async fn measure(program: &Path, part: &str, smoke: bool) -> Result<Self> {
        let ran = Command::new(program).arg(part).args(smoke.then_some("--smoke")).output().await?;
        if !ran.status.success() {
            return Err(String::from_utf8_lossy(&ran.stderr).into_owned().into());
        }
        let said = String::from_utf8(ran.stdout)?;
        let read =
            |line: &str| Some((line.split_once(' ')?.0.to_owned(), line.split_once(' ')?.1.parse().ok()?));
        Ok(Self(said.lines().map(read).collect::<Option<_>>().ok_or("toxcore.c says something else")?))
    }

    /// A figure that is always measured.
    pub fn get(&self, name: &str) -> Result<f64> {
        Ok(*self.0.get(name).ok_or_else(|| format!("toxcore.c does not say {name}"))?)
    }

    /// Lays a figure beside a row; nothing if this system did not let it be measured.
    pub fn beside(&self, table: &mut Table, row: &'static str, name: &str, how: String) {
        if let Some(value) = self.0.get(name) {
            table.beside(row, Reference { name: "toxcore", value: *value, how });
        }
    }
}
