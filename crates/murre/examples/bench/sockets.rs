//! What the TCP sockets of a process have carried, as the kernel counts it: `ss` of iproute2 shows it.

use crate::table::Result;
use std::collections::BTreeMap;
use tokio::process::Command;

/// IPv4 and TCP heads with the time stamp that Linux adds, bytes of each segment.
const HEADS: u64 = 20 + 20 + 12;

/// Bytes both ways with all heads, by the addresses of the two ends, the own one first.
pub type Sockets = BTreeMap<(String, String), u64>;

/// The connected sockets of a process.
pub async fn sockets(pid: u32) -> Result<Sockets> {
    let ran = Command::new("ss").args(["-tinHpO"]).output().await;
    let ran =
        ran.map_err(|error| format!("`ss` of iproute2 counts the bytes, and does not start: {error}"))?;
    let (said, owner) = (String::from_utf8(ran.stdout)?, format!("pid={pid},"));
    let read = |line: &str| {
        let mut words = line.split_whitespace().skip(3);
        let ends = (words.next()?.to_owned(), words.next()?.to_owned());
        let count = |name: &str| {
            let found = line.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix(':'));
            found.and_then(|number| number.parse::<u64>().ok()).unwrap_or(0)
        };
        let segments = count("segs_out") + count("segs_in");
        Some((ends, count("bytes_sent") + count("bytes_received") + HEADS * segments))
    };
    Ok(said.lines().filter(|line| line.contains(&owner)).filter_map(read).collect())
}

/// What came since: of a socket that is new, everything.
pub fn since(before: &Sockets, now: &Sockets) -> u64 {
    now.iter().map(|(ends, bytes)| bytes.saturating_sub(before.get(ends).copied().unwrap_or(0))).sum()
}
