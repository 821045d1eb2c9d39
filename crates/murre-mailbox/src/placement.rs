//! Where a locator lies: the ring of an epoch.
//!
//! ```text
//!   position of a node in epoch e = H(join solution, node key, e)
//!
//!        locator                         ring order: clockwise from the locator,
//!           |   1   2      3  (4) 5      passing over nodes that do not count and, in a
//!   ...--o--v---o---o------o---x--o--... diverse network, over crowded address ranges
//! ```
//!
//! Positions change with each epoch, and cannot be chosen: the join puzzle was paid, and the node seen, before the
//! epoch's locators could be known to anyone but their readers and writers.
//!
//! Pure functions; which nodes count is [`crate::Directory`]'s question.

use core::net::{Ipv4Addr, Ipv6Addr};
use murre_core::id::{Locator, PeerKey};
use murre_core::{Addr, Label};
use murre_crypto::puzzle::Solution;
use std::collections::BTreeMap;

const POSITION: Label = Label::new("murre v1 network position");

/// Most nodes of one placement in one /24 (IPv6 /48).
pub const PER_NARROW: u32 = 1;
/// Most nodes of one placement in one /16 (IPv6 /32).
pub const PER_WIDE: u32 = 2;

/// Where a node stands in an epoch.
// spec: N-7
#[must_use]
pub fn position(join: &Solution, key: &PeerKey, epoch: u64) -> [u8; 32] {
    POSITION.hash(&[&join.0.to_be_bytes(), key.as_bytes(), &epoch.to_be_bytes()])
}

/// An address range for the diversity rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Prefix {
    /// IPv4 /24.
    Narrow4([u8; 3]),
    /// IPv4 /16.
    Wide4([u8; 2]),
    /// IPv6 /48.
    Narrow6([u8; 6]),
    /// IPv6 /32.
    Wide6([u8; 4]),
}

impl Prefix {
    const fn most(self) -> u32 {
        match self {
            Self::Narrow4(_) | Self::Narrow6(_) => PER_NARROW,
            Self::Wide4(_) | Self::Wide6(_) => PER_WIDE,
        }
    }
}

/// The ranges of every IP address in these multiaddrs, each once. Names are no ranges: they cost nothing.
#[must_use]
pub fn prefixes(addrs: &[Addr]) -> Vec<Prefix> {
    let mut out = Vec::new();
    for addr in addrs {
        let mut parts = addr.0.split('/').skip(1);
        match (parts.next(), parts.next()) {
            (Some("ip4"), Some(text)) => {
                let Ok(ip) = text.parse::<Ipv4Addr>() else { continue };
                push4(&mut out, ip);
            }
            (Some("ip6"), Some(text)) => {
                let Ok(ip) = text.parse::<Ipv6Addr>() else { continue };
                // One machine must not count twice by writing its IPv4 address as IPv6.
                match ip.to_ipv4_mapped() {
                    Some(ip) => push4(&mut out, ip),
                    None => push6(&mut out, ip),
                }
            }
            _ => {}
        }
    }
    out.sort_unstable();
    out.dedup();
    out
}

fn push4(out: &mut Vec<Prefix>, ip: Ipv4Addr) {
    let [a, b, c, _] = ip.octets();
    out.extend([Prefix::Narrow4([a, b, c]), Prefix::Wide4([a, b])]);
}

fn push6(out: &mut Vec<Prefix>, ip: Ipv6Addr) {
    let [a, b, c, d, e, f, ..] = ip.octets();
    out.extend([Prefix::Narrow6([a, b, c, d, e, f]), Prefix::Wide6([a, b, c, d])]);
}

/// The first `len` nodes clockwise from a locator.
///
/// `ring` is sorted by position. `admit` says whether a node counts, and, in a diverse network, in which ranges it
/// lies; `None` passes it over.
// spec: N-8, N-9
#[must_use]
pub fn walk(
    ring: &[([u8; 32], PeerKey)],
    locator: &Locator,
    len: usize,
    admit: impl Fn(&PeerKey) -> Option<Vec<Prefix>>,
) -> Vec<PeerKey> {
    let start = ring.partition_point(|(at, _)| at < locator.as_bytes());
    let (before, after) = ring.split_at_checked(start).unwrap_or((ring, &[]));
    let mut crowd: BTreeMap<Prefix, u32> = BTreeMap::new();
    let mut out = Vec::with_capacity(len);
    for (_, key) in after.iter().chain(before) {
        if out.len() == len {
            break;
        }
        let Some(ranges) = admit(key) else { continue };
        if ranges.iter().any(|r| crowd.get(r).copied().unwrap_or(0) >= r.most()) {
            continue;
        }
        for range in ranges {
            *crowd.entry(range).or_default() += 1;
        }
        out.push(*key);
    }
    out
}
