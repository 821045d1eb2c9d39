//! `murre-sim`: runs seeds and plants faults.
//!
//! ```text
//! murre-sim run --seed N [--sabotage NAME] [--verbose]    one run
//! murre-sim seeds FROM..TO [--sabotage NAME]              many
//! murre-sim hash --seed N                                 the trace hash and nothing else
//! murre-sim sabotage NAME                                 hunts one planted fault
//! murre-sim ci [FROM..TO]                                 all seeds green, every fault caught
//! ```

use anyhow::{Context, Result, bail};
use murre_sim::campaign::{self, CATCH_WITHIN, SEEDS};
use murre_sim::run::{Options, Report};
use murre_sim::sabotage;
use murre_sim::totals::Totals;
use std::process::ExitCode;
use std::time::Instant;

/// Faults below this number mean that some were taken out.
const MIN_FAULTS: usize = 12;

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
    let options =
        Options { sabotage: value(args, "--sabotage"), verbose: args.iter().any(|a| a == "--verbose") };
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
        Some("ci") => ci(if args.len() > 1 { range(args.get(1))? } else { SEEDS }),
        _ => bail!("say run, seeds, hash, sabotage or ci; see the head of crates/murre-sim/src/main.rs"),
    }
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
        "{count} seeds, {red} red, {:.1} s; at rest after {quiet} s at most",
        began.elapsed().as_secs_f64()
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

fn ci(seeds: std::ops::Range<u64>) -> Result<bool> {
    if !sabotage::PLANTABLE {
        bail!("ci plants faults in the machines: build with --features sabotage");
    }
    let began = Instant::now();
    let options = Options::default();
    let reports = campaign::sweep(seeds, &options, false, &|report| {
        tell(report, &options);
    });
    let red = reports.iter().filter(|r| r.failure.is_some()).count();
    let totals = campaign::totals(&reports);
    print_totals(&totals);
    let zeros = totals.zeros();
    for words in &zeros {
        println!("the generator made no {words}");
    }
    println!("{} seeds, {red} red, {:.1} s", reports.len(), began.elapsed().as_secs_f64());
    let faults = campaign::faults();
    let caught = faults.iter().filter(|name| hunted(name)).count();
    println!("{caught} of {} planted faults caught, {:.1} s", faults.len(), began.elapsed().as_secs_f64());
    Ok(red == 0 && zeros.is_empty() && caught == faults.len() && faults.len() >= MIN_FAULTS)
}
