//! Many seeds: on all cores, added up, and against every planted fault.

use crate::run::{Options, Report, run};
use crate::sabotage;
use crate::totals::Totals;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Seeds that have to be green.
pub const SEEDS: std::ops::Range<u64> = 0..2_000;
/// Seeds among them that are red, the oracle that fails, and what is wrong: faults that were found and not yet
/// mended. Every run of `ci` prints them; any other red seed fails it. Whoever mends one takes it off and keeps it in
/// `spec/scenarios/`.
pub const OPEN: &[(u64, &str, &str)] = &[];
/// A planted fault must be caught within so many of them: each kind of run has come once.
pub const CATCH_WITHIN: u64 = crate::plan::ROUND;

/// Runs one seed; a panic is a failure like any other.
#[must_use]
pub fn run_one(seed: u64, options: &Options) -> Report {
    let panicked = |cause: Box<dyn std::any::Any + Send>| {
        let text = cause.downcast_ref::<String>().cloned();
        let text = text.or_else(|| cause.downcast_ref::<&str>().map(|s| (*s).to_owned()));
        let failure = crate::oracle::Failure { oracle: "no panic", what: text.unwrap_or_default() };
        Report { seed, failure: Some(failure), totals: Totals::default(), hash: [0; 32], quiet: 0 }
    };
    let report = catch_unwind(AssertUnwindSafe(|| run(seed, options))).unwrap_or_else(panicked);
    sabotage::plant(None);
    report
}

/// Runs seeds on all cores until all are done or, if `until_first`, one has failed. Reports come in no order.
pub fn sweep(
    seeds: std::ops::Range<u64>,
    options: &Options,
    until_first: bool,
    each: &(dyn Fn(&Report) + Sync),
) -> Vec<Report> {
    let next = AtomicU64::new(seeds.start);
    let stop = AtomicBool::new(false);
    let reports = Mutex::new(Vec::new());
    let workers = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end || stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let report = run_one(seed, options);
                    each(&report);
                    if until_first && report.failure.is_some() {
                        stop.store(true, Ordering::Relaxed);
                    }
                    reports.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(report);
                }
            });
        }
    });
    let mut reports = reports.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    reports.sort_by_key(|r| r.seed);
    reports
}

/// What is known of a red run, if it is one of [`OPEN`] and fails the oracle that it is known to fail.
#[must_use]
pub fn open(report: &Report) -> Option<&'static str> {
    let oracle = report.failure.as_ref()?.oracle;
    OPEN.iter().find(|(s, o, _)| *s == report.seed && *o == oracle).map(|(_, _, what)| *what)
}

/// Seeds of [`OPEN`] that are green: they are to be taken off it.
#[must_use]
pub fn mended(reports: &[Report]) -> Vec<u64> {
    let green = reports.iter().filter(|r| r.failure.is_none()).map(|r| r.seed);
    green.filter(|seed| OPEN.iter().any(|(open, ..)| open == seed)).collect()
}

/// The totals of many runs.
#[must_use]
pub fn totals(reports: &[Report]) -> Totals {
    let mut totals = Totals::default();
    for report in reports {
        totals.add(&report.totals);
    }
    totals
}

/// How one planted fault fared.
#[derive(Clone, Debug)]
pub struct Catch {
    /// Its name.
    pub name: &'static str,
    /// The lowest seed that caught it, and which oracle saw what.
    pub caught: Option<Report>,
    /// Seeds that were run.
    pub seeds: usize,
}

/// Hunts one planted fault.
#[must_use]
pub fn hunt(name: &'static str, within: u64) -> Catch {
    let options = Options { sabotage: Some(name.to_owned()), ..Options::default() };
    let reports = sweep(SEEDS.start..SEEDS.start + within, &options, true, &|_| {});
    let seeds = reports.len();
    Catch { name, caught: reports.into_iter().find(|r| r.failure.is_some()), seeds }
}

/// Every planted fault this build can plant.
#[must_use]
pub fn faults() -> Vec<&'static str> {
    let machine = if sabotage::PLANTABLE { sabotage::MACHINE } else { &[] };
    sabotage::SHELL.iter().map(|(name, _)| *name).chain(machine.iter().copied()).collect()
}
