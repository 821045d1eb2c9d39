//! What `node` says.

use crate::amount;
use crate::out::Style;

pub const HINT_STOPPED: &str = "start it again with the same --store";
pub const CUT_SHORT: &str = "stopped before everything under way was answered; what was receipted is kept";
pub const NOT_AN_AMOUNT: &str = "write a number of bytes, or one with a unit: 500MiB, 20GiB, 1TiB";

pub fn ready(style: Style, listen: &[String], capacity: u64, metrics: Option<&str>) -> String {
    let mut out = format!(
        "{} It holds up to {}. Give one of these addresses to others as --bootstrap:",
        style.good("Node is up."),
        amount::words(capacity)
    );
    for addr in listen {
        out.push_str(&format!("\n  {addr}"));
    }
    if let Some(metrics) = metrics {
        out.push_str(&format!("\nIts numbers are at {metrics}"));
    }
    out
}

pub fn stopped(left: Option<usize>) -> String {
    match left {
        Some(0) => "The node has stopped; everything under way was answered.".to_owned(),
        Some(n) => {
            format!("The node has stopped; {n} requests were not finished. Whoever asked will ask again.")
        }
        None => "The node has stopped.".to_owned(),
    }
}

pub fn numbers(known: u64, boxes: u64) -> String {
    format!("{known} nodes are known, {boxes} boxes are held")
}
