//! Measures what a person with a long past waits for, and what a running home costs while nothing happens.
//!
//! ```text
//!   past.rs     this process: init, then rows by batches into the home's own store, then steps of its index
//!   long.rs     murre up  <-- started on that home, driven through the local API by `Client`
//!   idle.rs     murre up (Ann) -- loopback -- murre devnet: 8 nodes, and her friends, of whom one is there
//! ```
//!
//! It does NOT measure delivery; that is `bench_e2e`. Rows of a browser are not here: there is no web client yet.
//!
//! `bench_app MURRE [--json] [--smoke] [--toxcore PROGRAM]`, started by `cargo xtask bench app`.

mod idle;
mod long;
mod past;
#[path = "../bench/person.rs"]
mod person;
#[path = "../bench/proc.rs"]
mod proc;
#[path = "../bench/sockets.rs"]
mod sockets;
#[path = "../bench/table.rs"]
mod table;
#[path = "../bench/toxcore.rs"]
mod toxcore;

use std::path::Path;
use std::time::Duration;
use table::{Result, Table, fsync};

/// How many of each.
struct Sizes {
    fsyncs: usize,
    chat: u64,
    search: u64,
    starts: usize,
    searches: usize,
    calls: usize,
    friends: usize,
    settle: Duration,
    idle: Duration,
}

const FULL: Sizes = Sizes {
    fsyncs: 200,
    chat: 100_000,
    search: 1_000_000,
    starts: 5,
    searches: 40,
    calls: 5_000,
    friends: 20,
    settle: Duration::from_secs(60),
    idle: Duration::from_secs(120),
};
const SMOKE: Sizes = Sizes {
    fsyncs: 20,
    chat: 500,
    search: 500,
    starts: 1,
    searches: 2,
    calls: 20,
    friends: 2,
    settle: Duration::from_millis(500),
    idle: Duration::from_secs(1),
};

#[tokio::main]
async fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let murre = args.next().ok_or("bench_app MURRE [--json] [--smoke] [--toxcore PROGRAM]")?;
    let rest: Vec<String> = args.collect();
    let has = |flag: &str| rest.iter().any(|arg| arg == flag);
    let (sizes, mut table) = (if has("--smoke") { SMOKE } else { FULL }, Table::new(has("--json")));
    if let Some(at) = rest.iter().position(|arg| arg == "--toxcore") {
        let program = rest.get(at + 1).ok_or("--toxcore PROGRAM")?;
        idle::toxcore(&mut table, Path::new(program), has("--smoke")).await?;
    }
    // Short, because the path of a socket may not be long.
    let dir = tempfile::Builder::new().prefix("murre-bench-").tempdir()?;
    let played = play(Path::new(&murre), dir.path(), &mut table, &sizes).await;
    if played.is_err() {
        eprintln!("homes and logs are kept in {}", dir.keep().display());
    }
    played
}

async fn play(murre: &Path, dir: &Path, table: &mut Table, sizes: &Sizes) -> Result<()> {
    fsync(table, dir, sizes.fsyncs)?;
    idle::rows(murre, &dir.join("idle"), table, sizes).await?;
    long::chat(murre, &dir.join("long"), table, sizes).await?;
    long::searches(murre, &dir.join("many"), table, sizes).await
}
