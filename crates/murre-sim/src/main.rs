//! `murre-sim`: runs seeds and plants faults.
//!
//! ```text
//! murre-sim run --seed N [--sabotage NAME] [--verbose]    one run
//! murre-sim seeds FROM..TO [--sabotage NAME]              many
//! murre-sim hash --seed N                                 the trace hash and nothing else
//! murre-sim sabotage NAME                                 hunts one planted fault
//! murre-sim placement [--seeds N] [--fast] [--json]       a thousand nodes that die, come, go and lie
//! murre-sim year [--seed N] [--days N]                    two people for a year
//! murre-sim ci [FROM..TO]                                 all seeds green, every fault caught, a small one of both
//! ```

use anyhow::{Context, Result, bail};
use murre_sim::campaign::{self, CATCH_WITHIN, SEEDS};
use murre_sim::placement::{self, Size};
use murre_sim::run::{Options, Report};
use murre_sim::sabotage;
use murre_sim::totals::Totals;
use murre_sim::year;
use std::process::ExitCode;
use std::time::Instant;

/// Faults below this number mean that some were taken out.
const MIN_FAULTS: usize = 36;
/// Days of the year that `ci` lives through.
const CI_DAYS: u64 = 56;

fn main() -> ExitCode {
    match command(&std::env::args().skip(1).collect::<Vec<_>>()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(2)
        }
    }
}

fn command(args: &[String]) -> Result<bool> {
    let options = Options {
        sabotage: value(args, "--sabotage"),
        verbose: flag(args, "--verbose"),
        anew: flag(args, "--anew"),
    };
    if let Some(name) = &options.sabotage {
        check_name(name)?;
    }
    let seed = || -> Result<u64> { Ok(value(args, "--seed").context("--seed N is missing")?.parse()?) };
    match args.first().map(String::as_str) {
        Some("run") => {
            let report = campaign::run_one(seed()?, &options);
            print_totals(&report.totals);
            Ok(tell(&report, &options))
        }
        Some("hash") => {
            println!("{}", hex::encode(campaign::run_one(seed()?, &options).hash));
            Ok(true)
        }
        Some("seeds") => many(range(args.get(1))?, &options),
        Some("sabotage") => {
            let name = args.get(1).context("which fault?")?;
            Ok(hunted(check_name(name)?))
        }
        Some("placement") => {
            let towns = value(args, "--seeds").map_or(Ok(8), |n| n.parse())?;
            let size = if flag(args, "--fast") { Size::FAST } else { Size::FULL };
            Ok(towns_hold(0..towns, size, flag(args, "--json")))
        }
        Some("year") => {
            let seed = value(args, "--seed").map_or(Ok(1), |n| n.parse())?;
            let days = value(args, "--days").map_or(Ok(365), |n| n.parse())?;
            Ok(lived(seed, days))
        }
        Some("ci") => ci(if args.len() > 1 { range(args.get(1))? } else { SEEDS }),
        _ => bail!(
            "say run, seeds, hash, sabotage, placement, year or ci; see the head of crates/murre-sim/src/main.rs"
        ),
    }
}

fn flag(args: &[String], name: &str) -> bool {
    args.iter().any(|a| a == name)
}

fn value(args: &[String], name: &str) -> Option<String> {
    let at = args.iter().position(|a| a == name)?;
    args.get(at + 1).cloned()
}

fn range(text: Option<&String>) -> Result<std::ops::Range<u64>> {
    let (from, to) = text.and_then(|t| t.split_once("..")).context("seeds are given as FROM..TO")?;
    Ok(from.parse()?..to.parse()?)
}

fn check_name(name: &str) -> Result<&'static str> {
    let known = sabotage::SHELL.iter().map(|(n, _)| *n).chain(sabotage::MACHINE.iter().copied());
    let name =
        known.into_iter().find(|n| *n == name).with_context(|| format!("no fault is called {name}"))?;
    if sabotage::MACHINE.contains(&name) && !sabotage::PLANTABLE {
        bail!("{name} sits inside the machines: build with --features sabotage");
    }
    Ok(name)
}

/// Says how a run went; true if it is green.
fn tell(report: &Report, options: &Options) -> bool {
    let Some(failure) = &report.failure else { return true };
    println!("seed {}: {}: {}", report.seed, failure.oracle, failure.what);
    let (features, fault) = match &options.sabotage {
        Some(name) => (" --features sabotage", format!(" --sabotage {name}")),
        None => ("", String::new()),
    };
    println!("  cargo run -p murre-sim{features} -- run --seed {}{fault} --verbose", report.seed);
    false
}

fn many(seeds: std::ops::Range<u64>, options: &Options) -> Result<bool> {
    let began = Instant::now();
    let count = seeds.end.saturating_sub(seeds.start);
    let reports = campaign::sweep(seeds, options, false, &|report| {
        tell(report, options);
    });
    let red = reports.iter().filter(|r| r.failure.is_some()).count();
    let totals = campaign::totals(&reports);
    print_totals(&totals);
    let quiet = reports.iter().map(|r| r.quiet).max().unwrap_or_default() / 1_000;
    println!(
        "{count} seeds, {red} red, {:.1} s, {:.1} seeds/s; at rest after {quiet} s at most",
        began.elapsed().as_secs_f64(),
        count as f64 / began.elapsed().as_secs_f64()
    );
    Ok(red == 0)
}

fn print_totals(totals: &Totals) {
    for (words, n) in totals.table() {
        println!("{n:>10}  {words}");
    }
}

fn hunted(name: &'static str) -> bool {
    let catch = campaign::hunt(name, CATCH_WITHIN);
    match &catch.caught {
        Some(report) => {
            let (oracle, what) = report.failure.as_ref().map_or(("", ""), |f| (f.oracle, f.what.as_str()));
            println!("{name:<24} caught by seed {:<4} {oracle}: {what}", report.seed);
            true
        }
        None => {
            println!("{name:<24} NOT CAUGHT in {} seeds", catch.seeds);
            false
        }
    }
}

/// Prints the figures of placement; true if all targets are reached.
fn towns_hold(seeds: std::ops::Range<u64>, size: Size, json: bool) -> bool {
    let began = Instant::now();
    let figures = placement::run(seeds, size);
    for figure in &figures {
        match serde_json::to_string(figure) {
            Ok(line) if json => println!("{line}"),
            _ => println!("{}", figure.line()),
        }
    }
    if !json {
        println!("placement: {} figures, {:.1} s", figures.len(), began.elapsed().as_secs_f64());
    }
    figures.iter().all(placement::Figure::holds)
}

/// Prints what a year was made of; true if nothing broke.
fn lived(seed: u64, days: u64) -> bool {
    let began = Instant::now();
    let year = year::run(seed, days);
    for (words, n) in &year.figures {
        println!("{n:>12}  {words}");
    }
    println!("{days} days of seed {seed}, {:.1} s", began.elapsed().as_secs_f64());
    if let Some(failure) = &year.failure {
        println!("{}: {}", failure.oracle, failure.what);
    }
    year.failure.is_none()
}

/// Remembering answers of signature checks must change nothing.
fn memory_is_silent(seeds: std::ops::Range<u64>) -> bool {
    let anew = Options { anew: true, ..Options::default() };
    let differs = seeds
        .clone()
        .find(|s| campaign::run_one(*s, &anew).hash != campaign::run_one(*s, &Options::default()).hash);
    if let Some(seed) = differs {
        println!("seed {seed} is another run if every signature is checked anew");
    }
    differs.is_none()
}

fn ci(seeds: std::ops::Range<u64>) -> Result<bool> {
    if !sabotage::PLANTABLE {
        bail!("ci plants faults in the machines: build with --features sabotage");
    }
    let began = Instant::now();
    let options = Options::default();
    let reports = campaign::sweep(seeds, &options, false, &|report| {
        tell(report, &options);
    });
    let known = |r: &&Report| campaign::open(r).is_some();
    let (open, new): (Vec<&Report>, Vec<&Report>) =
        reports.iter().filter(|r| r.failure.is_some()).partition(known);
    let red = new.len();
    for (seed, what) in open.iter().filter_map(|r| campaign::open(r).map(|what| (r.seed, what))) {
        println!("OPEN: seed {seed} is known to be red: {what}");
    }
    let mended = campaign::mended(&reports);
    for seed in &mended {
        println!("seed {seed} is green: take it off OPEN");
    }
    let totals = campaign::totals(&reports);
    print_totals(&totals);
    let zeros = totals.zeros();
    for words in &zeros {
        println!("the generator made no {words}");
    }
    let took = began.elapsed().as_secs_f64();
    println!(
        "{} seeds, {red} red, {} known to be red, {took:.1} s, {:.1} seeds/s",
        reports.len(),
        open.len(),
        reports.len() as f64 / took
    );
    let same = memory_is_silent(0..4);
    let placed = towns_hold(0..1, Size::FAST, false);
    let aged = lived(1, CI_DAYS);
    let faults = campaign::faults();
    let caught = faults.iter().filter(|name| hunted(name)).count();
    println!("{caught} of {} planted faults caught, {:.1} s", faults.len(), began.elapsed().as_secs_f64());
    Ok(red == 0
        && mended.is_empty()
        && zeros.is_empty()
        && same
        && placed
        && aged
        && caught == faults.len()
        && faults.len() >= MIN_FAULTS)
}
