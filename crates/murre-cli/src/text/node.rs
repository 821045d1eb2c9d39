//! What `node` says.

use crate::amount;
use crate::out::Style;

pub const HINT_STOPPED: &str = "start it again with the same --store";
pub const NOT_AN_AMOUNT: &str = "write a number of bytes, or one with a unit: 500MiB, 20GiB, 1TiB";

pub fn ready(style: Style, listen: &[String], capacity: u64) -> String {
    let mut out = format!(
        "{} It holds up to {}. Give one of these addresses to others as --bootstrap:",
        style.good("Node is up."),
        amount::words(capacity)
    );
    for addr in listen {
        out.push_str(&format!("\n  {addr}"));
    }
    out
}

pub fn numbers(known: u64, boxes: u64) -> String {
    format!("{known} nodes are known, {boxes} boxes are held")
}
