//! How many strangers may knock per second.
//!
//! Two token buckets: one for the whole door, one for each address prefix, so that one network cannot use up the
//! door of all others. Loopback has no prefix: whoever can connect from there already runs on this machine.

use crate::limits::{INBOUND_BURST, INBOUND_PER_SECOND, MAX_PREFIXES, PREFIX_BURST, PREFIX_PER_SECOND};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Instant;

/// Milli-tokens of one admission.
const ONE: u64 = 1000;

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: u64,
    at: Instant,
}

impl Bucket {
    fn full(burst: u32, now: Instant) -> Self {
        Self { tokens: u64::from(burst) * ONE, at: now }
    }

    fn refill(&mut self, burst: u32, per_second: u32, now: Instant) {
        // Milliseconds times tokens per second are milli-tokens.
        let passed = u64::try_from(now.saturating_duration_since(self.at).as_millis()).unwrap_or(u64::MAX);
        let more = passed.saturating_mul(u64::from(per_second));
        if more > 0 {
            self.tokens = self.tokens.saturating_add(more).min(u64::from(burst) * ONE);
            self.at = now;
        }
    }

    fn take(&mut self) -> bool {
        let Some(left) = self.tokens.checked_sub(ONE) else { return false };
        self.tokens = left;
        true
    }
}

/// The door.
#[derive(Debug)]
pub(crate) struct Gate {
    all: Bucket,
    prefixes: BTreeMap<[u8; 7], Bucket>,
}

impl Gate {
    pub(crate) fn new(now: Instant) -> Self {
        Self { all: Bucket::full(INBOUND_BURST, now), prefixes: BTreeMap::new() }
    }

    /// Whether one more connection from there may begin its handshake.
    pub(crate) fn admit(&mut self, from: Option<IpAddr>, now: Instant) -> bool {
        self.all.refill(INBOUND_BURST, INBOUND_PER_SECOND, now);
        // The prefix first: who is over his own share must not spend everyone's.
        let own_share = match from.and_then(prefix) {
            Some(prefix) => self.admit_prefix(prefix, now),
            None => true,
        };
        own_share && self.all.take()
    }

    fn admit_prefix(&mut self, prefix: [u8; 7], now: Instant) -> bool {
        if !self.prefixes.contains_key(&prefix) && self.prefixes.len() >= MAX_PREFIXES {
            self.prefixes.retain(|_, bucket| {
                bucket.refill(PREFIX_BURST, PREFIX_PER_SECOND, now);
                bucket.tokens < u64::from(PREFIX_BURST) * ONE
            });
            if self.prefixes.len() >= MAX_PREFIXES {
                // So many prefixes at once is a flood from everywhere: the common bucket decides.
                return true;
            }
        }
        let bucket = self.prefixes.entry(prefix).or_insert_with(|| Bucket::full(PREFIX_BURST, now));
        bucket.refill(PREFIX_BURST, PREFIX_PER_SECOND, now);
        bucket.take()
    }
}

/// `4` and a /24, or `6` and a /48.
fn prefix(ip: IpAddr) -> Option<[u8; 7]> {
    let ip = ip.to_canonical();
    if ip.is_loopback() {
        return None;
    }
    Some(match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            [4, a, b, c, 0, 0, 0]
        }
        IpAddr::V6(ip) => {
            let [a, b, c, d, e, f, ..] = ip.octets();
            [6, a, b, c, d, e, f]
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    fn admitted(gate: &mut Gate, from: Option<IpAddr>, tries: u32, now: Instant) -> u32 {
        (0..tries).map(|_| u32::from(gate.admit(from, now))).sum()
    }

    #[test]
    fn one_network_cannot_use_up_the_door_of_another() {
        let now = Instant::now();
        let mut gate = Gate::new(now);
        assert_eq!(admitted(&mut gate, ip("192.0.2.1"), 1000, now), PREFIX_BURST);
        assert_eq!(admitted(&mut gate, ip("192.0.2.200"), 10, now), 0);
        assert_eq!(admitted(&mut gate, ip("::ffff:192.0.2.9"), 10, now), 0);
        assert_eq!(admitted(&mut gate, ip("198.51.100.1"), 10, now), 10);
        let later = now + Duration::from_secs(1);
        assert_eq!(admitted(&mut gate, ip("192.0.2.1"), 1000, later), PREFIX_PER_SECOND);
    }

    #[test]
    fn the_whole_door_has_a_rate_too() {
        let now = Instant::now();
        let mut gate = Gate::new(now);
        assert_eq!(admitted(&mut gate, ip("127.0.0.1"), 1000, now), INBOUND_BURST);
        let later = now + Duration::from_secs(1);
        assert_eq!(admitted(&mut gate, ip("::1"), 1000, later), INBOUND_PER_SECOND);
    }

    #[test]
    fn prefixes_are_bounded_and_forgotten_when_quiet() {
        let now = Instant::now();
        let mut gate = Gate::new(now);
        for i in 0..u32::try_from(MAX_PREFIXES).unwrap() + 50 {
            let [_, a, b, _] = (i << 8).to_be_bytes();
            gate.admit(Some(IpAddr::from([10, a, b, 1])), now);
        }
        assert_eq!(gate.prefixes.len(), MAX_PREFIXES);
        let later = now + Duration::from_secs(60);
        gate.admit(ip("203.0.113.1"), later);
        assert_eq!(gate.prefixes.len(), 1);
    }
}
