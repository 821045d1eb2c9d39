//! Who keeps what in a town of a thousand nodes: the real directory, rings and quorums, without machines around them.
//!
//! ```text
//!  town      nodes with true descriptors in a true [`Directory`] of a diverse network, on a clock of hours
//!  trials    30 % and 50 % die at once, then repair | a node away for 25 h | churn for weeks
//!  lists     liars among those a careful read asks | readers and writers with other lists than the network
//! ```
//!
//! What is real: descriptors, ages, freshness, diversity, placement, k, w and r, whom a node repairs from, and what it
//! may ask for there. What is arithmetic here: that a box handed over is stored, and that a round of repair takes ten
//! minutes. Every figure has a 95 % interval (Wilson) over boxes; boxes of one town share its nodes, so the worst town
//! is told as well.

mod lists;
mod town;
mod trials;

use crate::dice::Dice;
use serde::Serialize;

/// How much is tried.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Nodes of a town.
    pub nodes: usize,
    /// Boxes of one trial.
    pub boxes: usize,
    /// Nodes of the town with churn.
    pub churn_nodes: usize,
    /// Boxes put in each hour of churn.
    pub churn_boxes: usize,
    /// Days of churn.
    pub churn_days: u64,
    /// Hours between two rounds of repair that are counted; real nodes have six in each hour.
    pub repair_hours: u64,
    /// Churn of an hour, per mille of all nodes.
    pub churn: &'static [usize],
    /// How far lists are apart, per cent.
    pub lists: &'static [u64],
}

impl Size {
    /// For every test run: seconds.
    pub const FAST: Self = Self {
        nodes: 1_000,
        boxes: 12_000,
        churn_nodes: 200,
        churn_boxes: 1,
        churn_days: 7,
        repair_hours: 6,
        churn: &[5],
        lists: &[5, 20],
    };
    /// For figures.
    pub const FULL: Self = Self {
        nodes: 1_000,
        boxes: 50_000,
        churn_nodes: 1_000,
        churn_boxes: 2,
        churn_days: 28,
        repair_hours: 2,
        churn: &[2, 5, 10],
        lists: &[1, 5, 10, 20, 30],
    };
}

/// A share with its interval, and what it must reach.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// What.
    pub name: String,
    /// The share, of 1.
    pub value: f64,
    /// Lower end of its 95 % interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Of the town in which it is worst.
    pub worst: f64,
    /// How many were tried.
    pub n: u64,
    /// What it must reach, if anything.
    pub target: Option<f64>,
}

impl Figure {
    /// Whether it reaches its target.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.target.is_none_or(|target| self.value >= target)
    }

    /// One line for people.
    #[must_use]
    pub fn line(&self) -> String {
        let percent = |share: f64| share * 100.0;
        let target = self.target.map_or_else(String::new, |t| {
            let word = if self.holds() { "reached" } else { "MISSED" };
            format!("  target {:.2} % {word}", percent(t))
        });
        format!(
            "{:<58} {:>9.4} %  [{:.4}, {:.4}]  worst town {:.4} %  n {}{target}",
            self.name,
            percent(self.value),
            percent(self.low),
            percent(self.high),
            percent(self.worst),
            self.n
        )
    }
}

/// How often something held in one town.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Times it held.
    pub good: u64,
    /// Times it was tried.
    pub all: u64,
}

impl Count {
    /// One more try.
    pub fn add(&mut self, good: bool) {
        self.good += u64::from(good);
        self.all += 1;
    }

    fn share(self) -> f64 {
        if self.all == 0 { 0.0 } else { self.good as f64 / self.all as f64 }
    }
}

/// One row of counts from one town.
#[derive(Clone, Debug)]
pub struct Row {
    /// What was counted.
    pub name: String,
    /// How often it held.
    pub count: Count,
    /// What it must reach.
    pub target: Option<f64>,
}

impl Row {
    fn new(name: impl Into<String>, count: Count, target: Option<f64>) -> Self {
        Self { name: name.into(), count, target }
    }
}

/// Everything, in one town for each seed.
#[must_use]
pub fn run(seeds: std::ops::Range<u64>, size: Size) -> Vec<Figure> {
    let towns: Vec<Vec<Row>> = seeds.map(|seed| one(seed, size)).collect();
    let names: Vec<(String, Option<f64>)> =
        towns.first().map_or_else(Vec::new, |rows| rows.iter().map(|r| (r.name.clone(), r.target)).collect());
    let figure = |(at, (name, target)): (usize, (String, Option<f64>))| {
        let counts: Vec<Count> = towns.iter().filter_map(|rows| rows.get(at)).map(|r| r.count).collect();
        let (good, all) = counts.iter().fold((0, 0), |(g, a), c| (g + c.good, a + c.all));
        let total = Count { good, all };
        let (low, high) = wilson(total);
        let worst = counts.iter().map(|c| c.share()).fold(1.0, f64::min);
        Figure { name, value: total.share(), low, high, worst, n: all, target }
    };
    names.into_iter().enumerate().map(figure).collect()
}

fn one(seed: u64, size: Size) -> Vec<Row> {
    let mut rows = Vec::new();
    for (percent, target) in [(30, 0.9999), (50, 0.995)] {
        rows.extend(trials::kill(Dice::new(seed, &format!("kill {percent}")), percent, target, size));
    }
    rows.extend(trials::back(Dice::new(seed, "back"), size));
    for per_mille in size.churn {
        rows.extend(trials::churn(Dice::new(seed, &format!("churn {per_mille}")), *per_mille, size));
    }
    rows.extend(lists::liars(Dice::new(seed, "liars"), size));
    for percent in size.lists {
        rows.extend(lists::stale(Dice::new(seed, &format!("stale {percent}")), *percent, size));
    }
    rows
}

/// The 95 % interval of a share.
#[must_use]
pub fn wilson(count: Count) -> (f64, f64) {
    if count.all == 0 {
        return (0.0, 1.0);
    }
    let (n, p, z) = (count.all as f64, count.share(), 1.959_964_f64);
    let z2 = z * z;
    let middle = p + z2 / (2.0 * n);
    let spread = z * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    let below = 1.0 + z2 / n;
    (((middle - spread) / below).max(0.0), ((middle + spread) / below).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_holds_its_share_and_shrinks_with_the_tries() {
        let (low, high) = wilson(Count { good: 90, all: 100 });
        assert!((low - 0.8256).abs() < 1e-3 && (high - 0.9448).abs() < 1e-3, "{low} {high}");
        let (low, high) = wilson(Count { good: 1_000, all: 1_000 });
        assert!(low > 0.996 && high > 0.999_999);
        assert_eq!(wilson(Count::default()), (0.0, 1.0));
    }

    #[test]
    fn a_figure_below_its_target_is_missed() {
        let at = |value| Figure {
            name: "x".to_owned(),
            value,
            low: 0.0,
            high: 1.0,
            worst: value,
            n: 1,
            target: Some(0.99),
        };
        assert!(at(0.99).holds() && !at(0.98).holds());
        assert!(at(0.98).line().contains("MISSED"));
    }
}
