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

/// The ranges in which a node with these multiaddrs lies, or nothing if it lies in none or in several.
///
/// A descriptor may name one public /24 and one public /48, any number of times: a node that could claim many ranges
/// would push the honest nodes there out of every placement. Names and private addresses are no ranges: they cost
/// nothing.
// spec: N-9
#[must_use]
pub fn prefixes(addrs: &[Addr]) -> Vec<Prefix> {
    let mut out = Vec::new();
    for addr in addrs {
        let mut parts = addr.0.split('/').skip(1);
        match (parts.next(), parts.next()) {
            (Some("ip4"), Some(text)) => {
                out.extend(text.parse().ok().and_then(ranges4).into_iter().flatten())
            }
            (Some("ip6"), Some(text)) => {
                out.extend(text.parse().ok().and_then(ranges6).into_iter().flatten())
            }
            _ => {}
        }
    }
    out.sort_unstable();
    out.dedup();
    let narrow4 = out.iter().filter(|p| matches!(p, Prefix::Narrow4(_))).count();
    let narrow6 = out.iter().filter(|p| matches!(p, Prefix::Narrow6(_))).count();
    if narrow4 > 1 || narrow6 > 1 { Vec::new() } else { out }
}

fn ranges4(ip: Ipv4Addr) -> Option<[Prefix; 2]> {
    let [a, b, c, _] = ip.octets();
    let shared = a == 100 && (64..128).contains(&b);
    let private = ip.is_private() || ip.is_loopback() || ip.is_link_local() || shared;
    if private || a == 0 || a >= 224 {
        return None;
    }
    Some([Prefix::Narrow4([a, b, c]), Prefix::Wide4([a, b])])
}

fn ranges6(ip: Ipv6Addr) -> Option<[Prefix; 2]> {
    // One machine must not count twice by writing its IPv4 address as IPv6.
    if let Some(ip) = ip.to_ipv4_mapped() {
        return ranges4(ip);
    }
    let [a, b, c, d, e, f, ..] = ip.octets();
    // 2000::/3 is all that is routed.
    (a & 0xe0 == 0x20).then_some([Prefix::Narrow6([a, b, c, d, e, f]), Prefix::Wide6([a, b, c, d])])
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
