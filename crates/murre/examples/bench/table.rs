//! What the benchmarks print: rows, each with what was measured beside it in the same run.
//!
//! It measures nothing but the disk.

use serde::Serialize;
use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    value: f64,
    unit: &'a str,
    method: &'a str,
    n: usize,
    reference: Option<Reference>,
}

/// The same of something else, measured in this run.
#[derive(Serialize)]
pub struct Reference {
    pub name: &'static str,
    pub value: f64,
    pub how: String,
}

/// Rows as they are measured, on standard output.
pub struct Table {
    json: bool,
    begun: bool,
    beside: BTreeMap<&'static str, Reference>,
}

impl Table {
    pub fn new(json: bool) -> Self {
        Self { json, begun: false, beside: BTreeMap::new() }
    }

    /// Lays something beside a row that is still to be printed.
    pub fn beside(&mut self, row: &'static str, mut reference: Reference) {
        reference.value = round(reference.value);
        self.beside.insert(row, reference);
    }

    pub fn row(&mut self, name: &str, value: f64, unit: &str, n: usize, method: &str) -> Result<()> {
        let (value, reference) = (round(value), self.beside.remove(name));
        let mut out = std::io::stdout().lock();
        if self.json {
            let row = Row { name, value, unit, method, n, reference };
            writeln!(out, "{}", serde_json::to_string(&row)?)?;
            return Ok(out.flush()?);
        }
        if !std::mem::replace(&mut self.begun, true) {
            writeln!(out, "{:<26}{:>12}  {:<10}{:>7}  method", "row", "value", "unit", "n")?;
        }
        writeln!(out, "{name:<26}{value:>12}  {unit:<10}{n:>7}  {method}")?;
        if let Some(Reference { name, value, how }) = reference {
            writeln!(out, "{:<26}{value:>12}  {unit:<10}{:>7}  {how}", format!("  {name}"), "")?;
        }
        Ok(out.flush()?)
    }
}

fn round(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

/// In ms; the nearest rank, so that it is a time that was measured.
pub fn percentile(times: &mut [Duration], percent: usize) -> f64 {
    times.sort_unstable();
    let rank = (times.len() * percent).div_ceil(100).max(1);
    times.get(rank - 1).map_or(f64::NAN, |time| time.as_secs_f64() * 1_000.0)
}

/// What one durable write of a page costs on the disk where the stores of this run lie.
pub fn fsync(table: &mut Table, dir: &Path, n: usize) -> Result<()> {
    let mut file = std::fs::File::create(dir.join("fsync"))?;
    let mut times = Vec::with_capacity(n);
    for _ in 0..n {
        let began = Instant::now();
        file.write_all(&[0x5a; 4_096])?;
        file.sync_data()?;
        times.push(began.elapsed());
    }
    let method = format!(
        "append 4,096 bytes and fdatasync, one file, the disk of the stores; median, p99 {:.3}",
        percentile(&mut times, 99)
    );
    table.row("disk_fsync_p50_ms", percentile(&mut times, 50), "ms", n, &method)
}
