//! A soak: twelve nodes and six people as real processes, killed, stopped, wiped and started again by chance, while
//! everybody writes to everybody, now and then with a file. In the end every message that got an id has to have
//! arrived, once, in the order in which its author wrote it, and nothing else; and each file whole.
//!
//! ```text
//!   a thread per person  "life"    up ... kill -9 | SIGTERM ... away ... up ...
//!   a thread per person  "mouth"   send, send, send; what got no id is sent again under the same client id
//!   one thread           "fate"    a node at a time: kill -9 | SIGTERM | its boxes wiped | everything wiped
//! ```
//!
//! `soak MURRE [--minutes N] [--seed S]`, started by `cargo xtask soak`. Processes and disks have a will of their own,
//! so a seed repeats the plan and not the run.

#[path = "../../src/crew.rs"]
#[allow(dead_code, reason = "shared with the binary, which uses more of it")]
mod crew;
mod dice;
mod fate;
mod files;
mod ledger;
mod people;
#[path = "../../src/demo/person.rs"]
#[allow(dead_code, reason = "shared with the binary, which uses more of it")]
mod person;
#[path = "../../src/process.rs"]
#[allow(dead_code, reason = "shared with the binary, which uses more of it")]
mod process;

use anyhow::{Context, Result, bail};
use clap::Parser;
use fate::Fate;
use ledger::Ledger;
use people::Somebody;
use process::Pen;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

const NODES: usize = 12;
const NAMES: [&str; 6] = ["Ann", "Ben", "Cleo", "Dan", "Eve", "Finn"];
/// How long the network may take to become quiet once everybody is back. Longer than the longest pause between two
/// tries of anything.
const SETTLE: Duration = Duration::from_secs(11 * 60);

#[derive(Parser)]
struct Args {
    /// The program to try
    murre: PathBuf,
    /// How long everybody writes and everything may die
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// Decides who dies when
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn main() -> Result<()> {
    let args = Args::parse();
    // Short, because the path of a socket may not be long.
    let dir = tempfile::Builder::new().prefix("murre-soak-").tempdir()?;
    let played = play(&args, dir.path());
    if played.is_err() {
        eprintln!("homes, stores and logs are kept in {}", dir.keep().display());
    }
    played
}

fn play(args: &Args, dir: &Path) -> Result<()> {
    let pen = Pen::new(&args.murre);
    let ledger = Arc::new(Ledger::default());
    let crew = crew::start(&pen, dir, NODES, Instant::now() + SETTLE).context("the nodes")?;
    let fate = Fate::new(&pen, crew, args.seed);
    let mut people = people::gather(&pen, dir, &NAMES, &fate.bootstrap(), args.seed)?;
    let end = Instant::now() + Duration::from_secs_f64(args.minutes * 60.0);
    println!("{NODES} nodes, {} people, every two of them contacts; seed {}", NAMES.len(), args.seed);

    let told = std::thread::scope(|scope| {
        let fate = scope.spawn(|| fate.rule(end));
        let lives: Vec<_> = people.iter_mut().map(|one| scope.spawn(|| one.live(end, &ledger))).collect();
        let lives: Result<Vec<_>> = lives.into_iter().map(|life| life.join().expect("a life")).collect();
        (fate.join().expect("fate"), lives)
    });
    let (fate, lives) = (told.0?, told.1?);
    println!("nodes:  {}", fate.tally());
    let lives = lives.into_iter().fold(people::Lives::default(), |sum, one| sum + one);
    println!("people: {lives}");
    judge(&people, &ledger)
}

/// Waits until all is delivered, then compares what everybody has with what everybody said.
fn judge(people: &[Somebody], ledger: &Ledger) -> Result<()> {
    let quiet = Instant::now();
    for one in people {
        one.settle(ledger, quiet + SETTLE)?;
    }
    let took = quiet.elapsed().as_secs_f64();
    let verdict = people.iter().try_fold(ledger::Verdict::default(), |sum, one| {
        Ok::<_, anyhow::Error>(sum + ledger.compare(one.name(), &one.histories()?))
    })?;
    let files = people.iter().try_fold(people::Files::default(), |sum, one| {
        Ok::<_, anyhow::Error>(sum + one.compare_files(ledger, SETTLE)?)
    })?;
    println!("everything delivered {took:.1} s after the end");
    println!("{verdict}");
    println!("{files}");
    if !verdict.holds() || !files.holds() {
        bail!("messages sent and messages delivered differ");
    }
    Ok(())
}
